/** Waveform on a canvas, which is loaded when it comes near the visible part of the page. */

import { useEffect, useRef, useState } from "preact/hooks";

import { html } from "../html.js";
import { loadSum } from "../peaks.js";
import { texts } from "../texts.js";

/** @import {Peaks} from "../peaks.js" */

const COLUMNS = 1_024;
const KEY_STEP_S = 5;
const QUIETEST = 0.05;

/**
 * @param {object} props
 * @param {string | string[]} props.url Address of the waveform, or of those of stems that play together.
 * @param {string} props.title Of the song or stem, for screen readers.
 * @param {boolean} [props.isScaled] Whether the loudest sample fills the height.
 * @param {string} [props.kind] Kind of the stem, which gives the color.
 * @param {import("@preact/signals").ReadonlySignal<number> | null} [props.share] Position of the
 *     cursor, 0 to 1; null for none.
 * @param {boolean} [props.hasCursor] Whether the position is drawn.
 * @param {((share: number) => void) | null} [props.onSeek] Makes the waveform a slider.
 */
export function Waveform({
  url,
  title,
  kind = "mix",
  share = null,
  hasCursor = true,
  onSeek = null,
  isScaled = true,
}) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const isNear = useIsNear(box);
  const [peaks, setPeaks] = useState(/** @type {Peaks | null} */ (null));
  const [isMissing, setMissing] = useState(false);

  useEffect(() => {
    if (!isNear) return undefined;
    let isCurrent = true;
    setMissing(false);
    loadSum([url].flat(), COLUMNS).then(
      (found) => isCurrent && setPeaks(found),
      () => isCurrent && setMissing(true),
    );
    return () => {
      isCurrent = false;
    };
  }, [String(url), isNear]);
  const draw = (
    /** @type {CanvasRenderingContext2D} */ context,
    /** @type {number} */ width,
    /** @type {number} */ height,
  ) => {
    if (!peaks) return;
    context.fillStyle = getComputedStyle(context.canvas).color;
    drawPeaks(context, width, height, peaks.max, peaks.min, isScaled ? scaleOf(peaks) : 1);
  };
  useCanvas(canvas, draw, [peaks]);

  const slider = onSeek && peaks ? sliderProps(title, peaks.durationS, share?.value ?? 0, onSeek) : {};
  return html`<div class=${`wave ${onSeek ? "wave-seek" : ""}`} data-stem=${kind} ref=${box} ...${slider}>
    ${isMissing && html`<span class="small muted">${texts.player.noWaveform}</span>`}
    ${!peaks && !isMissing && html`<div class="wave-line"></div>`}
    <canvas ref=${canvas} aria-hidden="true"></canvas>
    ${share && hasCursor && html`<${Cursor} share=${share} />`}
  </div>`;
}

/**
 * Return the factor with which the loudest sample fills the height, so that quiet stems can be told
 * apart too; near silence stays flat.
 * @param {Peaks} peaks
 */
function scaleOf({ max, min }) {
  let loudest = QUIETEST;
  for (let at = 0; at < max.length; at++) loudest = Math.max(loudest, max[at], -min[at]);
  return 1 / Math.min(1, loudest);
}

/** @param {{share: import("@preact/signals").ReadonlySignal<number>}} props */
function Cursor({ share }) {
  return html`<div class="wave-cursor" style=${{ transform: `translateX(${share.value * 100}%)` }}></div>`;
}

/**
 * @param {string} title
 * @param {number} durationS
 * @param {number} share
 * @param {(share: number) => void} onSeek
 */
function sliderProps(title, durationS, share, onSeek) {
  const step = KEY_STEP_S / durationS;
  /** @type {Record<string, number>} */
  const targets = { ArrowLeft: share - step, ArrowRight: share + step, Home: 0, End: 1 };
  return {
    role: "slider",
    tabindex: 0,
    "aria-label": texts.player.waveform(title),
    "aria-valuemin": 0,
    "aria-valuemax": Math.round(durationS),
    "aria-valuenow": Math.round(share * durationS),
    "aria-valuetext": texts.player.position(share * durationS),
    /** @param {PointerEvent & {currentTarget: HTMLElement}} event */
    onClick: (event) => {
      const { left, width } = event.currentTarget.getBoundingClientRect();
      onSeek(Math.min(1, Math.max(0, (event.clientX - left) / width)));
    },
    /** @param {KeyboardEvent} event */
    onKeyDown: (event) => {
      if (!(event.key in targets)) return;
      event.preventDefault();
      onSeek(Math.min(1, Math.max(0, targets[event.key])));
    },
  };
}

/**
 * Return whether an element has come near the visible part of the page.
 * @param {import("preact").RefObject<HTMLElement | null>} element
 */
function useIsNear(element) {
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry.isIntersecting) return;
        setNear(true);
        observer.disconnect();
      },
      { rootMargin: "200px" },
    );
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return isNear;
}

/**
 * Draw on a canvas again when its size, the theme or one of some values changes.
 * @param {import("preact").RefObject<HTMLCanvasElement | null>} canvas
 * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} paint Gets
 *     the size in CSS pixels.
 * @param {unknown[]} inputs
 */
export function useCanvas(canvas, paint, inputs) {
  useEffect(() => {
    const element = /** @type {HTMLCanvasElement} */ (canvas.current);
    const repaint = () => {
      const { clientWidth: width, clientHeight: height } = element;
      const ratio = devicePixelRatio || 1;
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      const context = element.getContext("2d");
      if (!context || !width) return;
      context.scale(ratio, ratio);
      paint(context, width, height);
    };
    const observer = new ResizeObserver(repaint);
    observer.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", repaint);
    addEventListener("themechange", repaint);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", repaint);
      removeEventListener("themechange", repaint);
    };
  }, inputs);
}

/**
 * Draw a waveform in the context's fill style, column by column.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {ArrayLike<number>} max Highest sample of each pixel, -1 to 1.
 * @param {ArrayLike<number>} min Lowest sample of each pixel.
 * @param {number} [scale]
 */
export function drawPeaks(context, width, height, max, min, scale = 1) {
  const middle = height / 2;
  for (let x = 0; x < width; x++) {
    const start = Math.floor((x * max.length) / width);
    const stop = Math.max(start + 1, Math.floor(((x + 1) * max.length) / width));
    let [low, high] = [0, 0];
    for (let at = start; at < stop; at++) {
      low = Math.min(low, min[at]);
      high = Math.max(high, max[at]);
    }
    const room = scale * (middle - 1);
    context.fillRect(x, middle - high * room, 1, Math.max(1, (high - low) * room));
  }
}
