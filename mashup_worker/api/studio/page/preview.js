/** Player of lists: plays one song or stem at a time, in place. */

import { signal } from "@preact/signals";

import { endSession } from "./api.js";
import { Transport } from "./audio/transport.js";

/** @typedef {{id: string, audioUrl: string, framesUrl: string}} Track */
/** @typedef {{id: string, title: string, tracks: Track[]}} Playable */
/** @typedef {"loading" | "playing" | "paused" | "failed"} PreviewState */

/** What plays or is paused; null for nothing. */
export const preview = signal(/** @type {{id: string, title: string, state: PreviewState} | null} */ (null));

/** Position in the file as a share from 0 to 1. */
export const previewShare = signal(0);

/**
 * @typedef {object} Engine Player of a file, or of several at once.
 * @property {() => void} play
 * @property {() => void} pause
 * @property {(share: number) => void} seek
 * @property {() => number} share
 * @property {() => void} close
 */

/** @type {Engine | null} */
let engine = null;
let ticket = 0;

/**
 * Play a song or stem, or pause it if it plays.
 * @param {Playable} item
 */
export function togglePreview(item) {
  if (preview.value?.id !== item.id || preview.value.state === "failed") start(item);
  else if (preview.value.state === "playing") engine?.pause();
  else engine?.play();
}

/** Stop what plays, such as when another player starts. */
export function stopPreview() {
  ticket += 1;
  engine?.close();
  engine = null;
  preview.value = null;
  previewShare.value = 0;
}

/**
 * Continue at another position, and start to play if necessary.
 * @param {Playable} item
 * @param {number} share From 0 to 1.
 */
export function seekPreview(item, share) {
  if (preview.value?.id !== item.id) start(item);
  engine?.seek(share);
  previewShare.value = share;
}

/** @param {Playable} item */
function start(item) {
  stopPreview();
  const mine = ticket;
  /** @param {PreviewState} state */
  const onState = (state) => {
    if (mine !== ticket || preview.value?.state === state) return;
    preview.value = { id: item.id, title: item.title, state };
    if (state === "playing") requestAnimationFrame(tick);
  };
  onState("loading");
  engine = (item.tracks.length === 1 ? fileEngine : songEngine)(item.tracks, onState);
  engine.play();
}

function tick() {
  if (!engine || preview.value?.state !== "playing") return;
  previewShare.value = engine.share();
  requestAnimationFrame(tick);
}

/**
 * Play one file with the browser's own player, which reads all formats.
 * @param {Track[]} tracks
 * @param {(state: PreviewState) => void} onState
 * @returns {Engine}
 */
function fileEngine([track], onState) {
  const audio = new Audio(track.audioUrl);
  let isClosed = false;
  const report = (/** @type {PreviewState} */ state) => !isClosed && onState(state);
  audio.onplaying = () => report("playing");
  audio.onpause = () => report("paused");
  audio.onwaiting = () => report("loading");
  audio.onerror = () => report("failed");
  return {
    play: () => void audio.play().catch(() => audio.error && report("failed")),
    pause: () => audio.pause(),
    seek: (share) => {
      const go = () => (audio.currentTime = share * audio.duration);
      if (audio.readyState > 0) go();
      else audio.addEventListener("loadedmetadata", go, { once: true });
    },
    share: () => (audio.duration ? audio.currentTime / audio.duration : 0),
    close: () => {
      isClosed = true;
      audio.pause();
      audio.removeAttribute("src");
      audio.load();
    },
  };
}

/**
 * Play the stems of a song together.
 * @param {Track[]} tracks
 * @param {(state: PreviewState) => void} onState
 * @returns {Engine}
 */
function songEngine(tracks, onState) {
  const transport = new Transport({ tracks });
  transport.addEventListener("change", () => {
    const { state, playing } = transport;
    if (state === "failed") onState("failed");
    else if (state === "waiting" || state === "loading") onState("loading");
    else onState(playing ? "playing" : "paused");
  });
  transport.addEventListener("unauthorized", endSession);
  return {
    play: () => void transport.play(),
    pause: () => transport.pause(),
    seek: (share) => {
      const go = () => transport.seek(share * transport.durationS);
      transport.ready.then(go, () => {});
    },
    share: () => transport.positionS / (transport.durationS || 1),
    close: () => void transport.close(),
  };
}
