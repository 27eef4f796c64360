/**
 * Audio context of a transport: woken by gestures, asleep while nothing plays.
 *
 * @module
 */

export const USUAL_RATE_HZ = 44_100;
const IDLE_MS = 500; // a context that runs costs power, even if it plays nothing

/** Audio context that the system may interrupt. */
export class OwnContext {
  /** @type {AudioContext | null} */
  context = null;
  #awake = false; // has run since the last `suspend`
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;

  /**
   * @param {object} report
   * @param {() => void} report.changed
   * @param {() => void} report.interrupted called when the system stops it: a call, another app
   */
  constructor(report) {
    this.report = report;
  }

  /** Whether it has not run yet, which may need a gesture. */
  get asleep() {
    return this.context?.state === "suspended";
  }

  /**
   * Let it run. Safari allows that in the handler of a gesture only, when the rate of the files may
   * not be known yet.
   */
  wake() {
    clearTimeout(this.#idle);
    this.context ??= this.#make(USUAL_RATE_HZ);
    this.#awake = this.context.state === "running";
    if (!this.#awake) this.context.resume().catch(() => {}); // `asleep` says so
  }

  /**
   * Return the context for files of a rate.
   *
   * @param {number} sampleRate
   */
  at(sampleRate) {
    if (this.context?.sampleRate !== sampleRate) {
      const woken = this.context !== null;
      this.context?.close();
      this.context = this.#make(sampleRate);
      if (woken) this.wake();
    }
    return this.context;
  }

  /** Sleep soon, unless it is woken before. */
  rest() {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#awake = false;
      this.context?.suspend().catch(() => {}); // closed meanwhile
    }, IDLE_MS);
  }

  async close() {
    clearTimeout(this.#idle);
    const { context } = this;
    this.context = null;
    await context?.close();
  }

  /** @param {number} sampleRate */
  #make(sampleRate) {
    const session = /** @type {{audioSession?: {type: string}}} */ (navigator).audioSession;
    if (session) session.type = "playback"; // else the ring switch of iOS silences it
    const context = new AudioContext({ sampleRate });
    context.addEventListener("statechange", () => this.#changed(context));
    return context;
  }

  /** @param {AudioContext} context */
  #changed(context) {
    if (context !== this.context) return;
    if (context.state === "running") {
      this.#awake = true;
    } else if (this.#awake) {
      this.#awake = false;
      this.report.interrupted();
    }
    this.report.changed();
  }
}
