/** Player of a song: the transport of its stems, as signals for the view. */

import { batch, computed, signal } from "@preact/signals";

import { endSession } from "../api.js";
import { Transport } from "../audio/transport.js";

/** @import {Song} from "../types.js" */

/**
 * @typedef {object} Lane Stem in the mixer.
 * @property {string} id Kind of the stem, which the transport knows it by.
 * @property {import("../types.js").Stem} stem
 * @property {number} gain 0 to 1.
 * @property {boolean} muted
 * @property {boolean} solo
 * @property {boolean} failed Whether it can't be played.
 */

/** Positions of the songs that were played, so that they continue there. @type {Map<string, number>} */
const lastPositions = new Map();

export class SongPlayer {
  /** @type {import("@preact/signals").Signal<import("../audio/transport.js").State>} */
  state = signal("loading");
  playing = signal(false);
  /** @type {import("@preact/signals").Signal<import("../audio/transport.js").Wait | null>} */
  waitingFor = signal(null);
  positionS = signal(0);
  durationS = signal(0);
  /** @type {import("@preact/signals").Signal<import("../audio/transport.js").LoopRange | null>} */
  loop = signal(null);
  /** Kind of the only stem that sounds, where the browser plays one at a time. */
  onlyTrack = signal(/** @type {string | null} */ (null));
  /** @type {import("@preact/signals").Signal<Lane[]>} */
  lanes;

  /** Kinds of the stems that are heard. */
  audible = computed(() => {
    const lanes = this.lanes.value;
    const hasSolo = lanes.some((lane) => lane.solo);
    const heard = lanes.filter((lane) => !lane.muted && !lane.failed && (lane.solo || !hasSolo));
    const only = this.onlyTrack.value;
    return new Set(heard.map((lane) => lane.id).filter((id) => only === null || id === only));
  });

  /** @param {Song} song */
  constructor(song) {
    this.songId = song.id;
    this.lanes = signal(
      song.stems.map((stem) => ({ id: stem.kind, stem, gain: 1, muted: false, solo: false, failed: false })),
    );
    this.transport = new Transport({
      tracks: song.stems.map(({ id, kind }) => ({
        id: kind,
        audioUrl: `/api/stems/${id}/audio`,
        framesUrl: `/api/stems/${id}/frames`,
      })),
    });
    this.durationS.value = song.duration_s ?? 0;
    const transport = this.transport;
    transport.addEventListener("change", () => this.#update());
    transport.addEventListener("position", () => this.refresh());
    transport.addEventListener("unauthorized", endSession);
    const lastS = lastPositions.get(song.id);
    if (lastS) transport.seek(lastS);
    this.#update();
  }

  toggle() {
    if (this.playing.value) this.transport.pause();
    else void this.transport.play();
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.transport.seek(seconds);
    this.refresh();
  }

  /** @param {import("../audio/transport.js").LoopRange | null} range */
  setLoop(range) {
    try {
      this.transport.loop = range;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // too short to loop: nothing changes
    }
  }

  /** @param {string} id @param {number} gain */
  setGain(id, gain) {
    this.transport.setGain(id, gain);
    this.#change(id, { gain });
  }

  /** @param {string} id */
  toggleMuted(id) {
    const muted = !this.#lane(id)?.muted;
    this.transport.setMuted(id, muted);
    this.#change(id, { muted });
  }

  /** @param {string} id */
  toggleSolo(id) {
    const solo = !this.#lane(id)?.solo;
    this.transport.setSolo(id, solo);
    this.#change(id, { solo });
  }

  /** Read the position again, such as before each frame that is drawn. */
  refresh() {
    this.positionS.value = this.transport.positionS;
  }

  close() {
    this.refresh();
    const isAtEnd = this.positionS.value >= this.durationS.value;
    lastPositions.set(this.songId, isAtEnd ? 0 : this.positionS.value);
    void this.transport.close();
  }

  /** @param {string} id */
  #lane(id) {
    return this.lanes.value.find((lane) => lane.id === id);
  }

  /** @param {string} id @param {Partial<Lane>} fields */
  #change(id, fields) {
    this.lanes.value = this.lanes.value.map((lane) => (lane.id === id ? { ...lane, ...fields } : lane));
  }

  #update() {
    const { state, playing, waitingFor, loop, durationS, onlyTrack, failures } = this.transport;
    batch(() => {
      this.state.value = state;
      this.playing.value = playing;
      this.waitingFor.value = waitingFor;
      this.loop.value = loop;
      this.onlyTrack.value = onlyTrack;
      if (durationS) this.durationS.value = durationS;
      for (const { id, failed } of this.lanes.value) {
        if (failures.has(id) && !failed) this.#change(id, { failed: true });
      }
      this.refresh();
    });
  }
}
