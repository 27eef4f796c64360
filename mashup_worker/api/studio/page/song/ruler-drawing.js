/** Drawing of the ruler: form, bars, beats and times of the visible part. */

import { drawForm, FORM_PX } from "./form-drawing.js";

/** @import {BeatGrid} from "./grid.js" */
/** @import {Timeline} from "./timeline.js" */

const LABEL_GAP_PX = 44;
const BEAT_GAP_PX = 7;
const TIME_STEPS_S = [0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];
const TIME_GAP_PX = 70;

/**
 * @typedef {{text: string, muted: string, line: string, strong: string, accent: string,
 *     soft: string, sections: string[]}} Colors
 */

/**
 * Return the colors of the page's theme.
 * @param {HTMLElement} element
 * @returns {Colors}
 */
export function themeColors(element) {
  const probe = document.createElement("i");
  element.append(probe);
  /** @param {string} name */
  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colors = {
    text: color("text"),
    muted: color("muted"),
    line: color("line"),
    strong: color("line-strong"),
    accent: color("accent"),
    soft: color("accent-soft"),
    sections: [color("raised"), color("accent-soft")],
  };
  probe.remove();
  return colors;
}

/**
 * Draw the ruler.
 * @param {CanvasRenderingContext2D} context
 * @param {{width: number, height: number, grid: BeatGrid, timeline: Timeline, colors: Colors,
 *     loop: {startS: number, endS: number} | null}} options
 */
export function drawRuler(context, { width, height, grid, timeline, colors, loop }) {
  context.clearRect(0, 0, width, height);
  context.font = `12px ${getComputedStyle(context.canvas).fontFamily}`;
  context.textBaseline = "middle";
  const top = grid.sections.length ? FORM_PX : 0;
  if (top) drawForm(context, { width, grid, timeline, colors });
  if (loop) drawLoop(context, { top, height, timeline, colors, loop });
  if (grid.hasBars) drawBars(context, { width, top, height, grid, timeline, colors });
  drawTimes(context, { width, top, height, timeline, colors, isAlone: !grid.hasBars });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{top: number, height: number, timeline: Timeline, colors: Colors,
 *     loop: {startS: number, endS: number}}} options
 */
function drawLoop(context, { top, height, timeline, colors, loop }) {
  const [left, right] = [timeline.xOf(loop.startS), timeline.xOf(loop.endS)];
  context.fillStyle = colors.soft;
  context.fillRect(left, top, right - left, height - top);
  context.fillStyle = colors.accent;
  context.fillRect(left, top, right - left, 3);
  context.fillRect(left, top, 3, height - top);
  context.fillRect(right - 3, top, 3, height - top);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{width: number, top: number, height: number, grid: BeatGrid, timeline: Timeline,
 *     colors: Colors}} options
 */
function drawBars(context, { width, top, height, grid, timeline, colors }) {
  const [startS, stopS] = [timeline.timeAt(0), timeline.timeAt(width)];
  const barPx = (((grid.bars.at(-1) ?? 0) - grid.bars[0]) / (grid.bars.length - 1)) * timeline.pxPerS.value;
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(LABEL_GAP_PX / barPx)));
  const beatPx = (barPx * grid.bars.length) / Math.max(1, grid.beats.length);
  context.fillStyle = colors.line;
  if (beatPx >= BEAT_GAP_PX) {
    for (const beat of grid.beats) {
      if (beat >= startS && beat <= stopS) context.fillRect(timeline.xOf(beat), height - 5, 1, 5);
    }
  }
  grid.bars.forEach((bar, index) => {
    if (bar < startS - 10 || bar > stopS) return;
    const x = Math.round(timeline.xOf(bar));
    const isLabeled = index % every === 0;
    if (!isLabeled && barPx < 4) return;
    context.fillStyle = isLabeled ? colors.strong : colors.line;
    context.fillRect(x, height - 9, 1, 9);
    if (!isLabeled) return;
    context.fillRect(x, top + 4, 1, 14);
    context.fillStyle = colors.text;
    context.fillText(String(index + 1), x + 4, top + 11);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{width: number, top: number, height: number, timeline: Timeline, colors: Colors,
 *     isAlone: boolean}} options
 */
function drawTimes(context, { width, top, height, timeline, colors, isAlone }) {
  const pxPerS = timeline.pxPerS.value;
  if (!pxPerS) return;
  const step = TIME_STEPS_S.find((one) => one * pxPerS >= TIME_GAP_PX) ?? 600;
  const y = isAlone ? top + 12 : height - 18;
  for (let at = Math.floor(timeline.timeAt(0) / step) * step; ; at += step) {
    const x = Math.round(timeline.xOf(at));
    if (x > width || at > timeline.durationS.value) return;
    context.fillStyle = colors.strong;
    if (isAlone) context.fillRect(x, top + 20, 1, height);
    context.fillStyle = colors.muted;
    const minutes = Math.floor(at / 60);
    const seconds = (at - 60 * minutes).toFixed(step < 1 ? 1 : 0).padStart(step < 1 ? 4 : 2, "0");
    context.fillText(`${minutes}:${seconds}`, x + 4, y);
  }
}
