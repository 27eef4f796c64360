/** Waveforms of the API, in version 2 of audiowaveform's JSON, and of stems that play together. */

import { get } from "./api.js";

/**
 * @typedef {object} Peaks
 * @property {Float32Array} min Lowest sample of each pixel, -1 to 1.
 * @property {Float32Array} max Highest sample of each pixel, -1 to 1.
 * @property {number} durationS
 */

const MAX_CACHED = 100;

/** @type {Map<string, Promise<Peaks>>} Waveforms by address and size, the last used last. */
const cache = new Map();

/**
 * Load a waveform.
 * @param {string} url
 * @param {number} [columns] Number of pixels to reduce it to; by default it keeps all.
 * @returns {Promise<Peaks>}
 * @throws {import("./api.js").ApiError}
 */
export function loadPeaks(url, columns) {
  const name = `${url} ${columns ?? ""}`;
  const known = cache.get(name);
  const found = known ?? get(url).then((document) => reduced(parsed(document), columns));
  cache.delete(name);
  cache.set(name, found);
  if (!known) found.catch(() => cache.delete(name));
  for (const oldest of cache.keys()) {
    if (cache.size <= MAX_CACHED) break;
    cache.delete(oldest);
  }
  return found;
}

/**
 * Load the waveform of tracks that play together: at each pixel the most that their sum can reach.
 * @param {string[]} urls
 * @param {number} columns
 * @returns {Promise<Peaks>}
 * @throws {import("./api.js").ApiError}
 */
export async function loadSum(urls, columns) {
  const tracks = await Promise.all(urls.map((url) => loadPeaks(url, columns)));
  const length = Math.max(...tracks.map(({ max }) => max.length));
  const sum = (/** @type {"min" | "max"} */ side) =>
    Float32Array.from({ length }, (_, at) => tracks.reduce((all, track) => all + (track[side][at] ?? 0), 0));
  return { min: sum("min"), max: sum("max"), durationS: Math.max(...tracks.map((one) => one.durationS)) };
}

/**
 * @param {any} document
 * @returns {Peaks} The channels are joined.
 */
function parsed({ data, length, channels, bits, sample_rate: rate, samples_per_pixel: step }) {
  const fullScale = 2 ** (bits - 1);
  const [min, max] = [new Float32Array(length), new Float32Array(length)];
  for (let pixel = 0; pixel < length; pixel++) {
    let [low, high] = [Infinity, -Infinity];
    for (let channel = 0; channel < channels; channel++) {
      const at = 2 * (pixel * channels + channel);
      low = Math.min(low, data[at]);
      high = Math.max(high, data[at + 1]);
    }
    min[pixel] = low / fullScale;
    max[pixel] = high / fullScale;
  }
  return { min, max, durationS: (length * step) / rate };
}

/**
 * Return a waveform with at most a number of pixels, which keep the extremes.
 * @param {Peaks} peaks
 * @param {number} [columns]
 * @returns {Peaks}
 */
export function reduced(peaks, columns) {
  const length = peaks.max.length;
  if (!columns || length <= columns) return peaks;
  const [min, max] = [new Float32Array(columns), new Float32Array(columns)];
  for (let column = 0; column < columns; column++) {
    const stop = Math.max(1, Math.floor(((column + 1) * length) / columns));
    for (let pixel = Math.floor((column * length) / columns); pixel < stop; pixel++) {
      min[column] = Math.min(min[column], peaks.min[pixel]);
      max[column] = Math.max(max[column], peaks.max[pixel]);
    }
  }
  return { min, max, durationS: peaks.durationS };
}
