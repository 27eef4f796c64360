/**
 * Transport of a player: plays several tracks in step, with a mixer. It knows no page.
 *
 * @module
 */

import { OwnContext } from "./context.js";
import { ElementPlayer } from "./element.js";
import { Fetcher } from "./fetching.js";
import { Mixer } from "./mixer.js";
import { openPlayer } from "./opening.js";
import { SlicePlayer } from "./slices.js";

/** @typedef {"loading" | "ready" | "playing" | "waiting" | "failed"} State */
/** @typedef {"data" | "connection" | "login" | "gesture"} Wait */
/** @typedef {{startS: number, endS: number}} LoopRange */

const TICK_MS = 100;
const SHORTEST_LOOP_S = 0.25;

/**
 * Transport of tracks that start together.
 *
 * Events: `change` (anything but the position), `position` (while playing, and after `seek`),
 * `ended`, `trackfailed` (`detail: {id, reason}`), `unauthorized` (the session has ended: log in,
 * then call `retry` or `play`).
 */
export class Transport extends EventTarget {
  /** Why tracks can't be played. @type {Map<string, string>} */
  failures = new Map();
  /** Length of the longest track; 0 while loading. */
  durationS = 0;
  /** Samples a second of the context; 0 while loading, and in mode `element`. */
  sampleRate = 0;
  playing = false;
  #loading = true;
  /** The context, unless the caller gave one. @type {OwnContext | null} */
  #own;
  #closed = new AbortController();
  /** @type {SlicePlayer | ElementPlayer | null} */
  #player = null;
  #positionS = 0;
  /** @type {LoopRange | null} */
  #loop = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {object} options
   * @param {import("./sources.js").TrackOptions[]} options.tracks
   * @param {typeof globalThis.fetch} [options.fetch]
   * @param {BaseAudioContext} [options.context] one that the caller resumes and closes
   */
  constructor({ tracks, fetch = (...request) => globalThis.fetch(...request), context }) {
    super();
    this.tracks = tracks;
    this.#own = context
      ? null
      : new OwnContext({
          changed: () => this.#emit("change"),
          interrupted: () => this.#interrupted(),
        });
    this.mixer = new Mixer(tracks.map(({ id }) => id));
    this.fetcher = new Fetcher(fetch, {
      changed: () => this.#emit("change"),
      unauthorized: () => this.#emit("unauthorized"),
    });
    /** Resolves when the tracks can be played; rejects if none can. @type {Promise<void>} */
    this.ready = this.#load((sampleRate) => context ?? this.#own?.at(sampleRate));
    this.ready.catch(() => {});
  }

  /** @returns {State} */
  get state() {
    if (this.#loading) return "loading";
    if (!this.#player || this.failures.size === this.tracks.length) return "failed";
    if (!this.playing) return "ready";
    return this.waitingFor ? "waiting" : "playing";
  }

  /** What playing or loading waits for. @returns {Wait | null} */
  get waitingFor() {
    const missing = this.#loading || (this.playing && this.#player?.waiting);
    if (missing && this.fetcher.unauthorized) return "login";
    if (missing) return this.fetcher.retrying ? "connection" : "data";
    if (!this.playing || !this.#own?.asleep) return null;
    return navigator.userActivation?.hasBeenActive ? "data" : "gesture";
  }

  /**
   * `slices`: all tracks, sample-exact; `element`: one track at a time, since files without a
   * frame index are too long to decode.
   *
   * @returns {"slices" | "element"}
   */
  get mode() {
    return this.#player instanceof ElementPlayer ? "element" : "slices";
  }

  /** Track that sounds in mode `element`; null in mode `slices`. */
  get onlyTrack() {
    return this.#player instanceof ElementPlayer ? this.#player.audibleId : null;
  }

  get positionS() {
    const player = this.#player;
    return this.playing && player ? player.position / player.rate : this.#positionS;
  }

  /** Bytes of decoded samples that are held now. */
  get decodedBytes() {
    return this.#player?.decodedBytes ?? 0;
  }

  get loop() {
    return this.#loop;
  }

  /** Range that repeats; one that ends before the position moves the position to its start. */
  set loop(loop) {
    if (loop && !(loop.startS >= 0 && loop.endS - loop.startS >= SHORTEST_LOOP_S)) {
      throw new RangeError(`loop of ${loop.endS - loop.startS} s; the shortest is ${SHORTEST_LOOP_S} s`);
    }
    this.#loop = loop && { startS: loop.startS, endS: loop.endS };
    if (loop && this.positionS >= loop.endS) this.seek(loop.startS);
    else if (this.playing) this.#player?.setLoop(this.#course()[1]);
    else this.#prepare();
    this.#emit("change");
  }

  /** Play; after the end, from the start. Call it in the handler of a user's gesture. */
  async play() {
    this.fetcher.retry();
    if (this.mode === "slices") this.#own?.wake();
    if (!this.playing) {
      if (this.durationS && this.#positionS >= this.durationS) this.#positionS = 0;
      this.playing = true;
      this.#emit("change");
      if (this.#loading) return;
    }
    if (this.#player && this.#timer === undefined) await this.#start();
  }

  pause() {
    if (!this.playing) return;
    this.#stop();
    this.#emit("change");
  }

  /** @param {number} seconds one outside of the tracks is moved to their start or end */
  seek(seconds) {
    if (Number.isNaN(seconds)) throw new RangeError("position: not a number");
    const target = Math.max(0, Math.min(seconds, this.durationS || Infinity));
    const rate = this.#player?.rate;
    this.#positionS = rate ? Math.round(target * rate) / rate : target;
    if (this.playing && this.#player) this.#start();
    else this.#prepare();
    this.#emit("position");
  }

  /** Repeat failed requests now, as after a login. */
  retry() {
    this.fetcher.retry();
  }

  /**
   * @param {string} id
   * @param {number} gain 0 to 1
   */
  setGain(id, gain) {
    this.#mix(id, { gain });
  }

  /**
   * @param {string} id
   * @param {boolean} muted
   */
  setMuted(id, muted) {
    this.#mix(id, { muted });
  }

  /**
   * @param {string} id
   * @param {boolean} solo
   */
  setSolo(id, solo) {
    this.#mix(id, { solo });
  }

  /** @param {string} id */
  analyser(id) {
    return this.mixer.analyser(id);
  }

  /** Load and schedule what is due; for contexts that are rendered, not played. */
  async feed() {
    this.#player?.tick();
    await this.#player?.feed();
  }

  /** Tracks that sound now, with their gains. */
  get audible() {
    const tracks = this.#player instanceof SlicePlayer ? [...this.#player.tracks.values()] : [];
    return tracks
      .map((track) => ({ track, gain: this.mixer.audibleGain(track.id) }))
      .filter(({ track, gain }) => gain > 0 && !track.failure);
  }

  /** Stop and free everything. */
  async close() {
    if (this.playing) this.#stop();
    this.#closed.abort();
    this.fetcher.close();
    this.#player?.close();
    this.#player = null;
    await this.#own?.close();
  }

  /** @param {(sampleRate: number) => any} contextAt */
  async #load(contextAt) {
    try {
      this.#player = await openPlayer({
        tracks: this.tracks,
        fetcher: this.fetcher,
        mixer: this.mixer,
        contextAt,
        signal: this.#closed.signal,
        report: {
          changed: () => this.#emit("change"),
          ended: () => this.#ended(),
          failed: (id, error) => this.#failed(id, error),
        },
      });
      const { end, rate } = this.#player;
      this.durationS = end / rate;
      if (this.mode === "slices") this.sampleRate = rate;
      else this.#own?.close();
      this.#positionS = Math.min(this.#positionS, this.durationS);
    } finally {
      this.#loading = false;
      if (!this.#player) this.playing = false;
      this.#emit("change");
    }
    if (this.playing) this.#start();
    else this.#prepare();
  }

  #start() {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return this.#player?.start(...this.#course());
  }

  #stop() {
    const player = this.#player;
    if (player) this.#positionS = player.stop() / player.rate;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.playing = false;
    this.#own?.rest();
  }

  #prepare() {
    this.#player?.prepare(...this.#course());
  }

  /**
   * Position and loop in units of the player.
   *
   * @returns {[number, import("./run.js").Loop | null]}
   */
  #course() {
    const { rate, end } = this.#player ?? { rate: 1, end: 0 };
    const units = (/** @type {number} */ seconds) => Math.min(Math.round(seconds * rate), end);
    const { startS, endS } = this.#loop ?? { startS: 0, endS: 0 };
    const loop = { start: units(startS), end: units(endS) };
    const long = loop.end - loop.start >= SHORTEST_LOOP_S * rate;
    return [units(this.#positionS), long ? loop : null];
  }

  #tick() {
    this.#player?.tick();
    if (this.playing) this.#emit("position");
  }

  #ended() {
    this.#stop();
    this.#positionS = this.durationS;
    this.#emit("position");
    this.#emit("change");
    this.#emit("ended");
  }

  /**
   * @param {string} id
   * @param {unknown} error
   */
  #failed(id, error) {
    if (this.#closed.signal.aborted) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.failures.set(id, reason);
    const track = this.#player instanceof SlicePlayer ? this.#player.tracks.get(id) : null;
    if (track) track.failure = reason;
    if (this.playing && this.failures.size === this.tracks.length) this.#stop();
    this.dispatchEvent(new CustomEvent("trackfailed", { detail: { id, reason } }));
    this.#emit("change");
  }

  #interrupted() {
    if (this.playing) this.#stop();
  }

  /**
   * @param {string} id
   * @param {Partial<import("./mixer.js").Setting>} change
   */
  #mix(id, change) {
    this.mixer.set(id, change, this.playing);
    if (this.#player instanceof ElementPlayer) this.#player.update();
    this.#emit("change");
  }

  /** @param {string} name */
  #emit(name) {
    if (this.#closed.signal.aborted) return;
    this.dispatchEvent(new Event(name));
  }
}
