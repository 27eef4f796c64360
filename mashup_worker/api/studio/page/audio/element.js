/**
 * Player of one track at a time through an `<audio>` element, for long files without an index.
 *
 * @module
 */

/** @typedef {import("./mixer.js").Mixer} Mixer */
/** @typedef {import("./slices.js").Report} Report */

const PAUSE_MS = 2000;

/** Plays the first track that is neither muted nor silenced by solo; positions are in seconds. */
export class ElementPlayer {
  waiting = false;
  decodedBytes = 0;
  rate = 1;
  /** @type {string | null} */
  #id = null;
  #position = 0;
  #wanted = false;
  /** @type {import("./run.js").Loop | null} */
  #loop = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;

  /**
   * @param {object} options
   * @param {Map<string, string>} options.urls URLs of the tracks that can be played
   * @param {number} options.end duration of the longest in seconds
   * @param {Mixer} options.mixer
   * @param {Report} options.report
   */
  constructor({ urls, end, mixer, report }) {
    this.urls = urls;
    this.end = end;
    this.mixer = mixer;
    this.report = report;
    this.element = new Audio();
    this.element.preload = "auto";
    this.element.onwaiting = () => this.#wait(true);
    this.element.onplaying = () => this.#wait(false);
    this.element.onended = () => this.report.ended();
    this.element.onerror = () => this.#failed();
  }

  /** Track that sounds. */
  get audibleId() {
    return this.#id;
  }

  get position() {
    return this.#wanted && this.element.readyState ? this.element.currentTime : this.#position;
  }

  /** @param {number} position */
  prepare(position) {
    this.#position = position;
    this.update();
  }

  /**
   * @param {number} position
   * @param {import("./run.js").Loop | null} loop
   */
  async start(position, loop) {
    this.#position = position;
    this.#wanted = true;
    this.#loop = loop;
    this.update();
    this.element.currentTime = position;
    this.#wait(true);
    await this.#play();
  }

  stop() {
    this.#position = this.position;
    this.#wanted = false;
    clearTimeout(this.#again);
    this.element.pause();
    this.waiting = false;
    return this.#position;
  }

  /** @param {import("./run.js").Loop | null} loop */
  setLoop(loop) {
    this.#loop = loop;
  }

  /** Follow the mixer: another track may be the audible one now. */
  update() {
    const ids = [...this.urls.keys()];
    const id = ids.find((one) => this.mixer.audibleGain(one) > 0) ?? this.#id ?? ids[0] ?? null;
    this.element.volume = id === null ? 0 : this.mixer.audibleGain(id);
    if (id === this.#id || id === null) return;
    const { position } = this;
    this.#id = id;
    this.#load(position);
    this.report.changed();
  }

  tick() {
    const loop = this.#loop;
    const { element } = this;
    if (loop && element.currentTime >= loop.end && !element.seeking) element.currentTime = loop.start;
  }

  async feed() {}

  close() {
    this.stop();
    this.element.onerror = null;
    this.element.removeAttribute("src");
    this.element.load();
  }

  /** @param {number} position */
  #load(position) {
    this.#position = position;
    this.element.src = this.urls.get(this.#id ?? "") ?? "";
    this.element.currentTime = position;
    if (this.#wanted) this.#play();
  }

  async #play() {
    try {
      await this.element.play();
    } catch {
      // Interrupted by another load or pause, refused until a gesture, or reported by `onerror`.
    }
  }

  #failed() {
    if (this.element.error?.code === MediaError.MEDIA_ERR_NETWORK) {
      const position = this.element.currentTime || this.#position;
      this.#wait(true);
      this.#again = setTimeout(() => this.#load(position), PAUSE_MS);
      return;
    }
    const id = this.#id;
    if (id === null) return;
    this.#position = this.element.currentTime || this.#position;
    this.urls.delete(id);
    this.#id = null;
    this.report.failed(id, new TypeError(this.element.error?.message || "no audio"));
    this.update();
  }

  /** @param {boolean} waiting */
  #wait(waiting) {
    if (this.waiting === waiting) return;
    this.waiting = waiting;
    this.report.changed();
  }
}
