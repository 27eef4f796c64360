/**
 * Transport in the form of a media element, for the `media` option of wavesurfer.
 *
 * @module
 */

/** @typedef {import("./transport.js").Transport} Transport */

const HAVE_METADATA = 1;
const HAVE_ENOUGH_DATA = 4;

/**
 * Media object over a transport; several may share one. Its volume is that of one track, if it is
 * made for one.
 */
export class TransportMedia extends EventTarget {
  src = "";
  currentSrc = "";
  playbackRate = 1;
  preservesPitch = true;
  controls = false;
  autoplay = false;
  /** @type {Error | null} */
  error = null;
  #paused = true;
  #waiting = false;
  #loaded = false;
  #listening = new AbortController();

  /**
   * @param {Transport} transport
   * @param {string} [id] track whose volume and mute this object has
   */
  constructor(transport, id) {
    super();
    this.transport = transport;
    this.id = id;
    const { signal } = this.#listening;
    transport.addEventListener("change", () => this.#changed(), { signal });
    transport.addEventListener("position", () => this.#moved(), { signal });
    transport.addEventListener("ended", () => this.#emit("ended"), { signal });
    queueMicrotask(() => this.#changed());
  }

  get currentTime() {
    return this.transport.positionS;
  }

  set currentTime(seconds) {
    this.#emit("seeking");
    this.transport.seek(seconds);
    this.#emit("seeked");
  }

  get duration() {
    return this.transport.durationS || NaN;
  }

  get paused() {
    return !this.transport.playing;
  }

  get ended() {
    const { playing, durationS, positionS } = this.transport;
    return !playing && durationS > 0 && positionS >= durationS;
  }

  get seeking() {
    return false;
  }

  get readyState() {
    if (!this.transport.durationS) return 0;
    return this.transport.state === "failed" ? HAVE_METADATA : HAVE_ENOUGH_DATA;
  }

  get volume() {
    return this.id === undefined ? 1 : this.transport.mixer.setting(this.id).gain;
  }

  set volume(gain) {
    if (this.id !== undefined) this.transport.setGain(this.id, gain);
    this.#emit("volumechange");
  }

  get muted() {
    return this.id !== undefined && this.transport.mixer.setting(this.id).muted;
  }

  set muted(muted) {
    if (this.id !== undefined) this.transport.setMuted(this.id, muted);
    this.#emit("volumechange");
  }

  play() {
    return this.transport.play();
  }

  pause() {
    this.transport.pause();
  }

  canPlayType() {
    return "maybe";
  }

  load() {}

  /** @param {string} name */
  removeAttribute(name) {
    if (name === "src") this.src = "";
  }

  /** Follow the transport no more; it goes on. */
  remove() {
    this.#listening.abort();
  }

  #changed() {
    const { playing, state, durationS } = this.transport;
    if (durationS && !this.#loaded) {
      this.#loaded = true;
      for (const name of ["durationchange", "loadedmetadata", "canplay"]) this.#emit(name);
    }
    if (state === "failed" && !this.error) {
      this.error = new Error([...this.transport.failures.values()][0]);
      this.#emit("error");
    }
    if (this.#paused === playing) {
      this.#paused = !playing;
      this.#emit(playing ? "play" : "pause");
      this.#emit("timeupdate");
    }
    const waiting = state === "waiting";
    if (waiting !== this.#waiting) {
      this.#waiting = waiting;
      this.#emit(waiting ? "waiting" : "playing");
    }
  }

  #moved() {
    this.#emit("timeupdate");
  }

  /** @param {string} name */
  #emit(name) {
    this.dispatchEvent(new Event(name));
  }
}
