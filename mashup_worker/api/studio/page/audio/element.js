/**
 * Player of one track at a time through an `<audio>` element, for long files without an index.
 *
 * @module
 */

/** @typedef {import("./mixer.js").Mixer} Mixer */
/** @typedef {import("./slices.js").Report} Report */
/** @typedef {import("./run.js").Loop} Loop */

/** Plays the first track that is neither muted nor silenced by solo; positions are in ms. */
export class ElementPlayer {
  rate = 1000;
  waiting = false;
  decodedBytes = 0;
  /** @type {string | null} */
  #id = null;
  #position = 0;
  #wanted = false;
  /** Position of the last fault, where a second one is final. */
  #fault = -1;
  /** @type {Loop | null} */
  #loop = null;
  #closed = new AbortController();

  /**
   * @param {object} options
   * @param {Map<string, string>} options.urls URLs of the tracks that can be played
   * @param {number} options.durationS duration of the longest
   * @param {Mixer} options.mixer
   * @param {import("./fetching.js").Fetcher} options.fetcher
   * @param {Report} options.report
   */
  constructor({ urls, durationS, mixer, fetcher, report }) {
    this.urls = urls;
    this.end = Math.floor(durationS * this.rate);
    this.mixer = mixer;
    this.fetcher = fetcher;
    this.report = report;
    this.element = new Audio();
    this.element.preload = "auto";
    this.element.onwaiting = () => this.#wait(true);
    this.element.onplaying = () => this.#wait(false);
    this.element.onended = () => this.report.ended();
    this.element.onerror = () => this.#recover();
  }

  /** Track that sounds. */
  get audibleId() {
    return this.#id;
  }

  get position() {
    const { readyState, currentTime } = this.element;
    return this.#wanted && readyState ? Math.round(currentTime * this.rate) : this.#position;
  }

  /** @param {number} position */
  prepare(position) {
    this.#position = position;
    this.update();
  }

  /**
   * @param {number} position
   * @param {Loop | null} loop
   */
  async start(position, loop) {
    this.#position = position;
    this.#loop = loop;
    this.update();
    this.#wanted = true;
    this.element.currentTime = position / this.rate;
    this.#wait(true);
    await this.#play();
  }

  stop() {
    this.#position = this.position;
    this.#wanted = false;
    this.element.pause();
    this.waiting = false;
    return this.#position;
  }

  /** @param {Loop | null} loop */
  setLoop(loop) {
    this.#loop = loop;
  }

  /** Follow the mixer: another track may be the audible one now. */
  update() {
    const ids = [...this.urls.keys()];
    const id = ids.find((one) => this.mixer.audibleGain(one) > 0) ?? this.#id ?? ids[0];
    if (id === undefined) return;
    this.element.volume = this.mixer.audibleGain(id);
    if (id === this.#id) return;
    this.#position = this.position;
    this.#id = id;
    this.#load();
    this.report.changed();
  }

  /** Repeat the loop, as exactly as the timer that calls this. */
  tick() {
    const { element } = this;
    const loop = this.#loop;
    if (!loop || element.seeking || this.position < loop.end) return;
    element.currentTime = loop.start / this.rate;
  }

  async feed() {}

  close() {
    this.stop();
    this.#closed.abort();
    this.element.onerror = null;
    this.element.removeAttribute("src");
    this.element.load();
  }

  #load() {
    const url = this.urls.get(this.#id ?? "");
    if (!url) return;
    this.element.src = url;
    this.element.currentTime = this.#position / this.rate;
    if (this.#wanted) this.#play();
  }

  async #play() {
    try {
      await this.element.play();
    } catch {
      // Interrupted by a pause or another file, refused until a gesture, or reported by `onerror`.
    }
  }

  /** Ask for the file until it answers, and go on there; a file that is broken fails. */
  async #recover() {
    const id = this.#id ?? "";
    const fault = this.element.error;
    this.#position = Math.round(this.element.currentTime * this.rate) || this.#position;
    this.#wait(this.#wanted);
    try {
      if (this.#fault === this.#position) throw new TypeError(fault?.message || "no audio");
      this.#fault = this.#position;
      await this.fetcher.bytes(this.urls.get(id) ?? "", this.#closed.signal, 0, 1);
      if (id === this.#id) this.#load();
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      this.urls.delete(id);
      this.report.failed(id, error);
      this.update();
    }
  }

  /** @param {boolean} waiting */
  #wait(waiting) {
    if (this.waiting === waiting) return;
    this.waiting = waiting;
    this.report.changed();
  }
}
