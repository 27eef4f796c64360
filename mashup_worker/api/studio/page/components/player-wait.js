/** Reason why a player waits, in words; short waits for data have none. */

import { useEffect, useState } from "preact/hooks";

import { html } from "../html.js";
import { texts } from "../texts.js";

/** @import {Wait} from "../audio/transport.js" */

const LONG_WAIT_MS = 1_000;

/** @param {{player: {waitingFor: import("@preact/signals").ReadonlySignal<Wait | null>}}} props */
export function PlayerWait({ player }) {
  const [isLong, setLong] = useState(false);
  const waiting = player.waitingFor.value;
  useEffect(() => {
    setLong(false);
    const timer = setTimeout(() => setLong(true), LONG_WAIT_MS);
    return () => clearTimeout(timer);
  }, [waiting]);
  const isShown = waiting && (isLong || waiting === "gesture");
  return html`<p class="player-status small" role="status">${isShown ? texts.song.waits[waiting] : ""}</p>`;
}
