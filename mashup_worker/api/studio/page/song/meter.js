/** Level meter of a stem. */

import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";

import { html } from "../html.js";

/** @import {SongPlayer} from "./player.js" */

const FLOOR_DB = -48;
const FALL_PER_FRAME = 0.03;

/** @param {{player: SongPlayer, id: string}} props */
export function Meter({ player, id }) {
  const bar = useRef(/** @type {HTMLSpanElement | null} */ (null));
  useSignalEffect(() => {
    const element = bar.current;
    if (!element) return undefined;
    if (player.state.value !== "playing" || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      element.style.transform = "scaleX(0)";
      return undefined;
    }
    const samples = new Float32Array(1024);
    let [shown, frame] = [0, 0];
    const draw = () => {
      shown = Math.max(level(player.transport.analyser(id), samples), shown - FALL_PER_FRAME);
      element.style.transform = `scaleX(${shown})`;
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  });
  return html`<span class="meter" aria-hidden="true"><span ref=${bar}></span></span>`;
}

/**
 * Return the peak of the last samples, as a share of the meter.
 * @param {AnalyserNode | null | undefined} analyser
 * @param {Float32Array<ArrayBuffer>} samples
 */
function level(analyser, samples) {
  if (!analyser) return 0;
  analyser.getFloatTimeDomainData(samples);
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak ? Math.max(0, 1 - (20 * Math.log10(peak)) / FLOOR_DB) : 0;
}
