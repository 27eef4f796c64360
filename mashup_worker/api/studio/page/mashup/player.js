/** Player of a mashup: the master and the mix before it in step, as signals for the view. */

import { batch, computed, effect, signal } from "@preact/signals";

import { endSession } from "../api.js";
import { Transport } from "../audio/transport.js";
import { preview, stopPreview } from "../preview.js";
import { matchedGains } from "./loudness.js";

/** @import {Side} from "./loudness.js" */
/** @import {MashupOutput} from "./types.js" */

export class MashupPlayer {
  /** @type {import("@preact/signals").Signal<import("../audio/transport.js").State>} */
  state = signal("loading");
  playing = signal(false);
  /** @type {import("@preact/signals").Signal<import("../audio/transport.js").Wait | null>} */
  waitingFor = signal(null);
  /** Sides that cannot be played. @type {import("@preact/signals").Signal<Side[]>} */
  failed = signal([]);
  positionS = signal(0);
  durationS = signal(0);
  /** Side that is heard. @type {import("@preact/signals").Signal<Side>} */
  side = signal("master");
  /** Whether the louder side is played as loud as the other. */
  isMatched = signal(true);
  share = computed(() => (this.durationS.value ? this.positionS.value / this.durationS.value : 0));

  /**
   * @param {string} jobId
   * @param {MashupOutput} output
   */
  constructor(jobId, output) {
    const address = `/api/jobs/${jobId}`;
    this.hasBefore = Boolean(output.unmastered);
    this.gains = matchedGains(output);
    const framesUrl = output.audio.format === "flac" ? `${address}/frames` : null;
    /** @type {import("../audio/sources.js").TrackOptions[]} */
    const tracks = [{ id: "master", audioUrl: `${address}/audio`, framesUrl }];
    const before = `${address}/unmastered`;
    if (this.hasBefore) tracks.push({ id: "before", audioUrl: before, framesUrl: `${before}/frames` });
    this.transport = new Transport({ tracks });
    this.durationS.value = output.audio.duration_s;
    this.transport.addEventListener("change", () => this.#update());
    this.transport.addEventListener("position", () => this.refresh());
    this.transport.addEventListener("unauthorized", endSession);
    this.endMixing = effect(() => this.#mix(this.side.value, this.isMatched.value));
    this.endPreview = effect(() => {
      if (preview.value) this.transport.pause(); // one sound at a time
    });
    this.#update();
  }

  toggle() {
    if (this.playing.value) return this.transport.pause();
    stopPreview();
    void this.transport.play();
  }

  /** @param {number} share From 0 to 1. */
  seek(share) {
    this.transport.seek(share * this.durationS.value);
    this.refresh();
  }

  /** @param {number} seconds */
  move(seconds) {
    this.transport.seek(this.transport.positionS + seconds);
    this.refresh();
  }

  /** Read the position again, such as before each frame that is drawn. */
  refresh() {
    this.positionS.value = this.transport.positionS;
  }

  close() {
    this.endMixing();
    this.endPreview();
    void this.transport.close();
  }

  /** @param {Side} side @param {boolean} isMatched */
  #mix(side, isMatched) {
    const { transport, gains, hasBefore } = this;
    transport.setGain("master", isMatched && hasBefore ? gains.master : 1);
    if (!hasBefore) return;
    transport.setGain("before", isMatched ? gains.before : 1);
    transport.setSolo("master", side === "master");
    transport.setSolo("before", side === "before");
  }

  #update() {
    const { state, playing, waitingFor, durationS, failures } = this.transport;
    batch(() => {
      this.state.value = state;
      this.playing.value = playing;
      this.waitingFor.value = waitingFor;
      if (failures.size > this.failed.value.length)
        this.failed.value = /** @type {Side[]} */ ([...failures.keys()]);
      if (durationS) this.durationS.value = durationS;
      this.refresh();
    });
  }
}
