/** Comparison of a mashup before and after mastering at equal loudness. */

/** @import {MashupOutput} from "./types.js" */

/** @typedef {"master" | "before"} Side */

/**
 * Return the gains at which both sides are equally loud; the quieter one keeps its level.
 * @param {MashupOutput} output
 * @returns {Record<Side, number>}
 */
export function matchedGains({ audio, unmastered }) {
  const difference = (audio.loudness_lufs ?? 0) - (unmastered?.loudness_lufs ?? audio.loudness_lufs ?? 0);
  const gain = 10 ** (-Math.abs(difference) / 20);
  return difference > 0 ? { master: gain, before: 1 } : { master: 1, before: gain };
}
