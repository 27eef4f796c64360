/** Short-term loudness of a mashup over time, as a row of the timeline. */

import { useRef } from "preact/hooks";

import { useCanvas } from "../components/waveform.js";
import { html } from "../html.js";
import { texts } from "../texts.js";

/** @import {Report} from "./types.js" */

const WINDOW_S = 3;
const MIN_SPAN_LU = 12;
const MARGIN_LU = 1.5;

/** @param {{report: Report, durationS: number}} props The report has a curve. */
export function LoudnessCurve({ report, durationS }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const { short_term_lufs: values, target_lufs: target } = report;
  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  const paint = (context, width, height) => draw(context, { width, height, durationS, report });
  useCanvas(canvas, paint, [report, durationS]);
  const label = texts.report.curve(Math.min(...values), Math.max(...values), target);
  return html`<div class="timeline-row timeline-loudness">
    <span class="timeline-name muted">${texts.report.loudness}</span>
    <div class="timeline-track" title=${label}>
      <canvas ref=${canvas} role="img" aria-label=${label}></canvas>
    </div>
  </div>`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{width: number, height: number, durationS: number, report: Report}} options
 */
function draw(context, { width, height, durationS, report }) {
  const { loudness_times_s: times, short_term_lufs: values, target_lufs: target } = report;
  const styles = getComputedStyle(context.canvas);
  const top = Math.max(...values, target ?? -Infinity) + MARGIN_LU;
  const span = Math.max(MIN_SPAN_LU, top - Math.max(Math.min(...values), top - 4 * MIN_SPAN_LU) + MARGIN_LU);
  const y = (/** @type {number} */ lufs) => Math.min(height - 1, ((top - lufs) / span) * height);
  // The windows of 3 s are drawn at their middle, where their sound is.
  const x = (/** @type {number} */ stopS) => ((stopS - WINDOW_S / 2) / durationS) * width;

  context.lineWidth = 1;
  if (target !== null) {
    context.strokeStyle = styles.borderTopColor;
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(0, Math.round(y(target)) + 0.5);
    context.lineTo(width, Math.round(y(target)) + 0.5);
    context.stroke();
    context.setLineDash([]);
  }
  context.lineWidth = 1.5;
  context.strokeStyle = styles.color;
  context.beginPath();
  values.forEach((lufs, at) => context.lineTo(x(times[at]), y(lufs)));
  context.stroke();
}
