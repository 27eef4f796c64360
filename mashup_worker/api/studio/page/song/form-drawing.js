/** Drawing of the form of a song above its ruler: sections, cue points, singing and chords. */

import { texts } from "../texts.js";

/** @import {BeatGrid} from "./grid.js" */
/** @import {Colors} from "./ruler-drawing.js" */
/** @import {Timeline} from "./timeline.js" */

const SECTION_PX = 20;
const CHORD_PX = 18;
const SINGING_PX = 2;
const CUE_PX = 4;

/** Height of the form; `views.css` has that of the ruler with it. */
export const FORM_PX = SECTION_PX + CHORD_PX;

/**
 * Draw the form of a song with sections.
 * @param {CanvasRenderingContext2D} context
 * @param {{width: number, grid: BeatGrid, timeline: Timeline, colors: Colors}} options
 */
export function drawForm(context, { width, grid, timeline, colors }) {
  const rowOf = rows(context, { width, timeline, colors });
  grid.sections.forEach(({ start_s, stop_s, label, role }, index) => {
    const names = role ? [`${label} · ${texts.song.roles[role] ?? role}`, label] : [label];
    rowOf({ start_s, stop_s, names, y: 0, height: SECTION_PX - 2, fill: colors.sections[index % 2] });
  });
  grid.chords.forEach(({ start_s, stop_s, label }, index) => {
    if (label === "N") return;
    const fill = colors.sections[index % 2];
    rowOf({ start_s, stop_s, names: [chordName(label)], y: SECTION_PX, height: CHORD_PX - 2, fill });
  });
  context.fillStyle = colors.accent;
  for (const { start_s, stop_s } of grid.singing) {
    const left = Math.max(0, timeline.xOf(start_s));
    const right = Math.min(width, timeline.xOf(stop_s));
    if (right > left) context.fillRect(left, SECTION_PX - 2 - SINGING_PX, right - left, SINGING_PX);
  }
  for (const { time_s } of grid.cues) drawCue(context, timeline.xOf(time_s));
}

/**
 * Return a function that draws a span in a row, with the first of its names that fits.
 * @param {CanvasRenderingContext2D} context
 * @param {{width: number, timeline: Timeline, colors: Colors}} options
 */
function rows(context, { width, timeline, colors }) {
  /**
   * @param {{start_s: number, stop_s: number, names: string[], y: number, height: number,
   *     fill: string}} span
   */
  return ({ start_s, stop_s, names, y, height, fill }) => {
    const left = Math.max(0, timeline.xOf(start_s));
    const right = Math.min(width, timeline.xOf(stop_s));
    if (right <= left) return;
    context.fillStyle = fill;
    context.fillRect(left, y, right - left - 1, height);
    const shown = names.find((name) => context.measureText(name).width <= right - left - 10);
    if (!shown) return;
    context.fillStyle = colors.text;
    context.fillText(shown, left + 6, y + height / 2 + 0.5);
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 */
function drawCue(context, x) {
  context.beginPath();
  context.moveTo(x - CUE_PX, 0);
  context.lineTo(x + CUE_PX, 0);
  context.lineTo(x, 1.5 * CUE_PX);
  context.fill();
}

/**
 * Return a chord as musicians write it, such as `F♯m` for `F#:min`.
 * @param {string} label
 */
export function chordName(label) {
  const [root, quality = ""] = label.split(":");
  const written = quality === "maj" ? "" : quality.replace("min", "m");
  return `${root}${written}`.replaceAll("#", "♯").replaceAll("b", "♭");
}
