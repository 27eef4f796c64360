/**
 * A track: pieces of its file, the last ones kept for loops and short seeks.
 *
 * @module
 */

import { bytesOf } from "./sources.js";

/** @typedef {import("./sources.js").Source} Source */

const KEPT_S = 24;

/** Track of a transport; positions are in samples of the transport's rate. */
export class Track {
  /** @type {Map<string, AudioBuffer>} */
  #kept = new Map();
  /** Reason why the track can't be played. @type {string | null} */
  failure = null;

  /**
   * @param {string} id
   * @param {Source} source
   * @param {number} rate samples a second of positions
   */
  constructor(id, source, rate) {
    this.id = id;
    this.source = source;
    this.rate = rate;
    this.ratio = source.sampleRate / rate;
    this.samples = Math.ceil(source.samples / this.ratio);
  }

  /** Buffers that the track holds. */
  get buffers() {
    return [...this.#kept.values()];
  }

  /**
   * Return where a piece should end that starts at `from`: where a frame ends, if one does in the
   * second half of the piece.
   *
   * @param {number} from
   * @param {number} target
   */
  end(from, target) {
    const border = Math.round(this.source.border(Math.round(target * this.ratio)) / this.ratio);
    return border - from > (target - from) / 2 ? border : target;
  }

  /**
   * Return the samples from `from` to `to` (exclusive), at the rate of the file.
   *
   * @param {number} from
   * @param {number} to
   * @param {AbortSignal} signal
   */
  async piece(from, to, signal) {
    const key = `${from}-${to}`;
    const kept = this.#kept.get(key);
    const buffer = kept ?? (await this.read(from, to, signal));
    this.#kept.delete(key);
    this.#kept.set(key, buffer);
    this.#forget(to - from);
    return buffer;
  }

  /**
   * Return samples without keeping them.
   *
   * @param {number} from
   * @param {number} to
   * @param {AbortSignal} signal
   */
  read(from, to, signal) {
    const end = Math.min(Math.round(to * this.ratio), this.source.samples);
    return this.source.read(Math.round(from * this.ratio), end, signal);
  }

  /** Forget all pieces. */
  clear() {
    this.#kept.clear();
  }

  /**
   * Forget the oldest pieces beyond `KEPT_S`, and never the newest.
   *
   * @param {number} newest length in samples
   */
  #forget(newest) {
    const limit = Math.max(KEPT_S * this.source.sampleRate, newest * this.ratio);
    let length = this.buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    for (const [key, buffer] of this.#kept) {
      if (length <= limit) break;
      length -= buffer.length;
      this.#kept.delete(key);
    }
  }
}

/**
 * Return the bytes of distinct buffers.
 *
 * @param {Iterable<AudioBuffer>} buffers
 */
export function totalBytes(buffers) {
  let total = 0;
  for (const buffer of new Set(buffers)) total += bytesOf(buffer);
  return total;
}
