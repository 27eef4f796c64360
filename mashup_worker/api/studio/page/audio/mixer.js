/**
 * Volume, mute and solo of tracks: what is set, and the audio nodes that do it.
 *
 * @module
 */

const RAMP_S = 0.015; // short enough to feel immediate, long enough not to click

/**
 * Setting of a track.
 *
 * @typedef {object} Setting
 * @property {number} gain 0 to 1
 * @property {boolean} muted
 * @property {boolean} solo
 */

/** Mixer of tracks; has settings from the start, and nodes once it is connected to a context. */
export class Mixer {
  /** @type {Map<string, Setting>} */
  #settings;
  /** @type {Map<string, {gain: GainNode, analyser: AnalyserNode}>} */
  #nodes = new Map();
  /** @type {BaseAudioContext | null} */
  #context = null;
  /** @type {GainNode | null} */
  #output = null;

  /** @param {string[]} ids */
  constructor(ids) {
    this.#settings = new Map(ids.map((id) => [id, { gain: 1, muted: false, solo: false }]));
  }

  /** @param {BaseAudioContext} context */
  connect(context) {
    this.#context = context;
    this.#output = new GainNode(context);
    this.#output.connect(context.destination);
    for (const id of this.#settings.keys()) {
      const gain = new GainNode(context, { gain: this.audibleGain(id) });
      const analyser = new AnalyserNode(context);
      gain.connect(analyser).connect(this.#output);
      this.#nodes.set(id, { gain, analyser });
    }
  }

  /**
   * Return the setting of a track.
   *
   * @param {string} id
   * @returns {Readonly<Setting>}
   */
  setting(id) {
    const setting = this.#settings.get(id);
    if (!setting) throw new RangeError(`no track ${id}`);
    return setting;
  }

  /**
   * Change the setting of a track; while it plays, with a short ramp.
   *
   * @param {string} id
   * @param {Partial<Setting>} change
   * @param {boolean} playing
   */
  set(id, change, playing) {
    const { gain = 1 } = change;
    if (!(gain >= 0 && gain <= 1)) throw new RangeError(`gain ${gain} is not between 0 and 1`);
    Object.assign(this.setting(id), change);
    for (const [one, nodes] of this.#nodes) this.#ramp(nodes.gain, this.audibleGain(one), playing);
  }

  /**
   * Return the gain at which a track sounds; a muted track is silent even if it is soloed.
   *
   * @param {string} id
   */
  audibleGain(id) {
    const { gain, muted, solo } = this.setting(id);
    const soloed = [...this.#settings.values()].some((one) => one.solo);
    return muted || (soloed && !solo) ? 0 : gain;
  }

  /**
   * Node that a track's sources are connected to.
   *
   * @param {string} id
   */
  input(id) {
    return this.#node(id).gain;
  }

  /**
   * Analyser of a track, after volume, mute and solo.
   *
   * @param {string} id
   */
  analyser(id) {
    return this.#node(id).analyser;
  }

  /**
   * Let sound through from a time on.
   *
   * @param {number} time
   */
  open(time) {
    this.#output?.gain.setValueAtTime(1, time);
  }

  /** Fade out, and return the time of silence. */
  fade() {
    if (!this.#context || !this.#output) return 0;
    const { gain } = this.#output;
    const now = this.#context.currentTime;
    gain.cancelScheduledValues(now);
    gain.setValueAtTime(gain.value, now);
    gain.linearRampToValueAtTime(0, now + RAMP_S);
    return now + RAMP_S;
  }

  /** @param {string} id */
  #node(id) {
    const nodes = this.#nodes.get(id);
    if (!nodes) throw new RangeError(`no track ${id}, or it isn't ready`);
    return nodes;
  }

  /**
   * @param {GainNode} node
   * @param {number} target
   * @param {boolean} playing
   */
  #ramp({ gain, context }, target, playing) {
    if (!playing) {
      gain.cancelScheduledValues(0);
      gain.value = target;
      return;
    }
    const now = context.currentTime;
    gain.cancelScheduledValues(now);
    gain.setValueAtTime(gain.value, now);
    gain.linearRampToValueAtTime(target, now + RAMP_S);
  }
}
