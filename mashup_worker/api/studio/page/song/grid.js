/** Beats, bars and form of a song, as places to go to. */

/** @import {Analysis, Section} from "../types.js" */

const CLOSE_S = 0.02; // a position this near before a beat counts as on it
const STEP_S = 1;
const LONG_STEP_S = 5;

/** Grid of a song; a song without beats has seconds in place of them. */
export class BeatGrid {
  /**
   * @param {Analysis | null | undefined} analysis
   * @param {number} durationS
   */
  constructor(analysis, durationS) {
    this.durationS = durationS;
    this.beats = analysis?.beats_s ?? [];
    /** Starts of the bars. */
    this.bars = analysis?.downbeats_s ?? [];
    /** @type {Section[]} */
    this.sections = analysis?.sections ?? [];
    this.chords = analysis?.chords ?? [];
    this.singing = analysis?.singing ?? [];
    this.cues = analysis?.cue_points ?? [];
  }

  get hasBars() {
    return this.bars.length > 1;
  }

  /**
   * Return the index of the bar at a position; -1 before the first.
   * @param {number} seconds
   */
  barAt(seconds) {
    return lastAtMost(this.bars, seconds + CLOSE_S);
  }

  /** @param {number} index Of the bar; the one after the last starts where the last ends. */
  barStart(index) {
    if (index < 0) return 0;
    if (index < this.bars.length) return this.bars[index];
    const [before, last] = this.bars.slice(-2);
    return Math.min(this.durationS, last + (last - before));
  }

  /**
   * Return bar and beat at a position, counted from 1; null before the first bar.
   * @param {number} seconds
   */
  place(seconds) {
    const bar = this.barAt(seconds);
    if (bar < 0) return null;
    const beat = lastAtMost(this.beats, seconds + CLOSE_S);
    const first = lastAtMost(this.beats, this.bars[bar] + CLOSE_S);
    return { bar: bar + 1, beat: Math.max(1, beat - first + 1) };
  }

  /**
   * Return the beat before or after a position.
   * @param {number} seconds
   * @param {-1 | 1} direction
   */
  nextBeat(seconds, direction) {
    return this.#next(this.beats, seconds, direction, STEP_S);
  }

  /**
   * Return the start of the bar before or after a position.
   * @param {number} seconds
   * @param {-1 | 1} direction
   */
  nextBar(seconds, direction) {
    return this.#next(this.bars, seconds, direction, LONG_STEP_S);
  }

  /**
   * Return the whole bars that cover a range; the range itself for a song without bars.
   * @param {number} startS
   * @param {number} endS
   */
  snapped(startS, endS) {
    const [low, high] = startS < endS ? [startS, endS] : [endS, startS];
    if (!this.hasBars) return { startS: Math.max(0, low), endS: Math.min(this.durationS, high) };
    const first = Math.max(0, this.barAt(low));
    const last = Math.max(first, this.barAt(high - 2 * CLOSE_S));
    return { startS: this.barStart(first), endS: this.barStart(last + 1) };
  }

  /**
   * @param {number[]} times
   * @param {number} seconds
   * @param {-1 | 1} direction
   * @param {number} step Seconds to go where no time is left.
   */
  #next(times, seconds, direction, step) {
    const target =
      direction > 0
        ? times.find((time) => time > seconds + CLOSE_S)
        : times.findLast((time) => time < seconds - CLOSE_S);
    const limit = direction > 0 ? this.durationS : 0;
    if (target !== undefined) return target;
    const free = seconds + direction * step;
    return times.length ? limit : Math.max(0, Math.min(this.durationS, free));
  }
}

/**
 * Return the index of the last of rising times that is not after a position; -1 for none.
 * @param {number[]} times
 * @param {number} seconds
 */
export function lastAtMost(times, seconds) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
