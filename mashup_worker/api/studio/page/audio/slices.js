/**
 * Player of sliced tracks on one audio context, sample-exact.
 *
 * @module
 */

import { Run } from "./run.js";
import { totalBytes } from "./track.js";

/** @typedef {import("./run.js").Loop} Loop */
/** @typedef {import("./track.js").Track} Track */
/** @typedef {import("./mixer.js").Mixer} Mixer */

/**
 * Reports of a player.
 *
 * @typedef {object} Report
 * @property {() => void} changed
 * @property {() => void} ended
 * @property {(id: string, error: unknown) => void} failed
 */

const LEAD_S = 0.08; // all tracks must be scheduled before their common start

/** Plays the slices of all tracks; positions are in samples of the context. */
export class SlicePlayer {
  /** Run that is loaded or plays. @type {Run | null} */
  #run = null;
  /** Run that plays to its edge before the next one starts. @type {Run | null} */
  #last = null;
  /** Settles when the last `start` is done. @type {Promise<void>} */
  #starting = Promise.resolve();
  /** Whether `start` waits for samples. */
  waiting = false;

  /**
   * @param {object} options
   * @param {BaseAudioContext} options.context
   * @param {Map<string, Track>} options.tracks
   * @param {Mixer} options.mixer
   * @param {Report} options.report
   */
  constructor({ context, tracks, mixer, report }) {
    this.context = context;
    this.tracks = tracks;
    this.mixer = mixer;
    this.report = report;
    this.rate = context.sampleRate;
    this.end = Math.max(...[...tracks.values()].map(({ samples }) => samples));
  }

  /** Bytes of decoded samples that are held. */
  get decodedBytes() {
    const tracks = [...this.tracks.values()];
    const whole = tracks.reduce((sum, { source }) => sum + source.bytes, 0);
    const buffers = tracks.flatMap((track) => track.buffers);
    return whole + totalBytes([...buffers, ...(this.#run?.buffers ?? [])]);
  }

  /** Position of what sounds now. */
  get position() {
    const run = this.#last?.ended === false ? this.#last : this.#run;
    return run ? run.position(run.now) : 0;
  }

  /**
   * Load the first pieces at a position, so that `start` is quick.
   *
   * @param {number} position
   * @param {Loop | null} loop
   */
  prepare(position, loop) {
    const run = this.#run;
    if (run?.startFrame === null && run.from === position && same(run.loop, loop)) return run;
    if (run) this.#silence();
    this.#run = new Run({
      tracks: [...this.tracks.values()].filter(({ failure }) => !failure),
      context: this.context,
      input: (id) => this.mixer.input(id),
      ...{ position, loop, end: this.end },
      failed: (track, error) => this.report.failed(track.id, error),
    });
    return this.#run;
  }

  /**
   * Play from a position on, as soon as the first pieces of all tracks are here.
   *
   * @param {number} position
   * @param {Loop | null} loop
   * @param {number} [earliest] frame of the context before which nothing starts
   */
  start(position, loop, earliest = 0) {
    this.#starting = this.#start(position, loop, earliest);
    return this.#starting;
  }

  /**
   * @param {number} position
   * @param {Loop | null} loop
   * @param {number} earliest
   */
  async #start(position, loop, earliest) {
    const run = this.prepare(position, loop);
    this.#wait(true);
    await run.ready;
    if (run !== this.#run || !this.waiting) return;
    const soon = Math.ceil((this.context.currentTime + LEAD_S) * this.rate);
    const frame = Math.max(earliest, soon);
    this.mixer.open(frame / this.rate);
    run.start(frame);
    this.#wait(false);
  }

  /** Stop with a short fade, and return the position. */
  stop() {
    const { position } = this;
    this.waiting = false;
    this.#silence();
    return position;
  }

  /** @param {Loop | null} loop */
  setLoop(loop) {
    const run = this.#run;
    if (run && run.startFrame !== null) run.setLoop(loop);
    else if (run && this.waiting) this.start(run.from, loop);
  }

  /** Load what is due, and find gaps and the end; called by a timer while playing. */
  tick() {
    const run = this.#run;
    if (!run || run.startFrame === null) return;
    if (run.ended) {
      this.report.ended();
    } else if (run.stalled) {
      const { edge, startFrame } = run;
      const position = run.position(edge);
      run.finish();
      this.#last = run;
      this.#run = null;
      this.start(position, run.loop, startFrame + edge);
    } else {
      run.feed();
    }
  }

  /** Load and schedule all that is due; contexts whose clock stands still meanwhile need it. */
  async feed() {
    await this.#starting;
    await this.#run?.feed();
  }

  /** Forget all samples. */
  close() {
    this.stop();
    for (const track of this.tracks.values()) track.clear();
  }

  #silence() {
    const time = this.mixer.fade();
    for (const run of [this.#last, this.#run]) run?.stop(time);
    this.#last = null;
    this.#run = null;
  }

  /** @param {boolean} waiting */
  #wait(waiting) {
    if (this.waiting === waiting) return;
    this.waiting = waiting;
    this.report.changed();
  }
}

/**
 * @param {Loop | null} one
 * @param {Loop | null} other
 */
const same = (one, other) => one?.start === other?.start && one?.end === other?.end;
