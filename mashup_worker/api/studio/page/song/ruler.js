/** Ruler of a song: shows the form, bars and beats, seeks, and selects the loop. */

import { computed, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { html } from "../html.js";
import { duration } from "../format.js";
import { texts } from "../texts.js";
import { drawRuler, themeColors } from "./ruler-drawing.js";

/** @import {BeatGrid} from "./grid.js" */
/** @import {SongPlayer} from "./player.js" */
/** @import {Timeline} from "./timeline.js" */

const DRAG_PX = 5; // less is a click
const EDGE_PX = 8;

/** @param {{player: SongPlayer, grid: BeatGrid, timeline: Timeline}} props */
export function Ruler({ player, grid, timeline }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useDrawing(canvas, { player, grid, timeline });
  const drag = useDrag({ player, grid, timeline });
  return html`<${Slider} player=${player} grid=${grid} events=${drag} hasSections=${grid.sections.length > 0}>
    <canvas ref=${canvas} aria-hidden="true"></canvas>
  <//>`;
}

/**
 * Slider for the position; the keys of the view move it.
 * @param {{player: SongPlayer, grid: BeatGrid, events: Record<string, any>, hasSections: boolean, children: any}} props
 */
function Slider({ player, grid, events, hasSections, children }) {
  // Screen readers get whole seconds and beats, not each frame.
  const [second, place] = useMemo(() => {
    const seconds = player.positionS;
    return [
      computed(() => Math.round(seconds.value)),
      computed(() => texts.song.place(duration(seconds.value), grid.place(seconds.value))),
    ];
  }, [player, grid]);
  return html`<div
    class=${`ruler ${hasSections ? "ruler-sections" : ""}`}
    role="slider"
    tabindex="0"
    aria-label=${texts.song.position}
    aria-valuemin="0"
    aria-valuemax=${Math.round(player.durationS.value)}
    aria-valuenow=${second.value}
    aria-valuetext=${place.value}
    ...${events}
  >
    ${children}
  </div>`;
}

/**
 * Draw the ruler again when something that it shows changes.
 * @param {import("preact").RefObject<HTMLCanvasElement | null>} canvas
 * @param {{player: SongPlayer, grid: BeatGrid, timeline: Timeline}} shown
 */
function useDrawing(canvas, { player, grid, timeline }) {
  const draw = () => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element?.parentElement || !context) return;
    const { clientWidth: width, clientHeight: height } = element;
    const ratio = devicePixelRatio || 1;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (element.width !== size[0] || element.height !== size[1]) [element.width, element.height] = size;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const colors = themeColors(element.parentElement);
    drawRuler(context, { width, height, grid, timeline, colors, loop: player.loop.value });
  };
  useSignalEffect(() => {
    // Reading the signals makes the effect follow them.
    void [timeline.width.value, timeline.pxPerS.value, timeline.left.value, player.loop.value];
    draw();
  });
  useEffect(() => {
    draw();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    addEventListener("themechange", draw);
    return () => {
      scheme.removeEventListener("change", draw);
      removeEventListener("themechange", draw);
    };
  }, [grid]);
}

/**
 * Return handlers of a pointer: a click seeks, and a drag selects the loop or moves an end of it.
 * @param {{player: SongPlayer, grid: BeatGrid, timeline: Timeline}} options
 */
function useDrag({ player, grid, timeline }) {
  const start = useRef(/** @type {{x: number, anchorS: number, isDrag: boolean} | null} */ (null));
  /** @param {PointerEvent & {currentTarget: HTMLElement}} event */
  const xOf = (event) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  /** @param {number} x End of the loop that stays while the one at a place is dragged. */
  const anchorAt = (x) => {
    const loop = player.loop.value;
    if (loop && Math.abs(timeline.xOf(loop.startS) - x) < EDGE_PX) return loop.endS;
    if (loop && Math.abs(timeline.xOf(loop.endS) - x) < EDGE_PX) return loop.startS;
    return timeline.timeAt(x);
  };
  return {
    /** @param {any} event */
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      const x = xOf(event);
      start.current = { x, anchorS: anchorAt(x), isDrag: false };
    },
    /** @param {any} event */
    onPointerMove: (event) => {
      const x = xOf(event);
      if (!start.current) return;
      if (Math.abs(x - start.current.x) >= DRAG_PX) start.current.isDrag = true;
      if (!start.current.isDrag) return;
      const { startS, endS } = grid.snapped(start.current.anchorS, timeline.timeAt(x));
      if (endS > startS) player.setLoop({ startS, endS });
    },
    /** @param {any} event */
    onPointerUp: (event) => {
      if (start.current && !start.current.isDrag) player.seek(timeline.timeAt(xOf(event)));
      start.current = null;
    },
    onPointerCancel: () => {
      start.current = null;
    },
    /** @param {WheelEvent} event */
    onWheel: (event) => {
      if (event.deltaX) timeline.scrollTo(timeline.left.value + event.deltaX);
    },
  };
}
