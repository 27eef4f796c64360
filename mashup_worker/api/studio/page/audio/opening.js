/**
 * Opens the files of tracks and makes the player that suits them.
 *
 * @module
 */

import { ElementPlayer } from "./element.js";
import { SlicePlayer } from "./slices.js";
import { openSources } from "./sources.js";
import { Track } from "./track.js";

/** @typedef {import("./sources.js").Source} Source */

/**
 * @param {object} options
 * @param {import("./sources.js").TrackOptions[]} options.tracks
 * @param {import("./fetching.js").Fetcher} options.fetcher
 * @param {AbortSignal} options.signal
 * @param {import("./mixer.js").Mixer} options.mixer
 * @param {import("./slices.js").Report} options.report
 * @param {AudioContext | OfflineAudioContext} [options.context]
 * @returns {Promise<{player: SlicePlayer, context: AudioContext | OfflineAudioContext}
 *   | {player: ElementPlayer, context: null}>}
 */
export async function openPlayer({ tracks, fetcher, signal, mixer, report, context }) {
  const opened = await openSources(tracks, fetcher, signal, report.failed);
  signal.throwIfAborted();
  const { durations } = opened;
  if (durations) {
    const readable = tracks.filter(({ id }) => durations.has(id));
    const urls = new Map(readable.map(({ id, audioUrl }) => [id, audioUrl]));
    const end = Math.max(...durations.values());
    return { player: new ElementPlayer({ urls, end, mixer, report }), context: null };
  }
  const sources = tracks.flatMap(({ id }) => {
    const source = opened.sources.get(id);
    return source ? [/** @type {[string, Source]} */ ([id, source])] : [];
  });
  if (!sources.length) throw new TypeError("no track can be played");
  const made = context ?? playbackContext(sources[0][1].sampleRate);
  mixer.connect(made);
  const own = new Map(sources.map(([id, source]) => [id, new Track(id, source, made.sampleRate)]));
  return { player: new SlicePlayer({ context: made, tracks: own, mixer, report }), context: made };
}

/** @param {number} sampleRate */
function playbackContext(sampleRate) {
  const session = /** @type {{audioSession?: {type: string}}} */ (navigator).audioSession;
  if (session) session.type = "playback"; // else iOS silences it with the ring switch
  return new AudioContext({ sampleRate, latencyHint: "interactive" });
}
