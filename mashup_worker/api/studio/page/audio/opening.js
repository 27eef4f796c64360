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
 * @param {(sampleRate: number) => BaseAudioContext} options.contextAt
 */
export async function openPlayer({ tracks, fetcher, signal, mixer, report, contextAt }) {
  const opened = await openSources(tracks, fetcher, signal, report.failed);
  signal.throwIfAborted();
  const { durations } = opened;
  if (durations) {
    const readable = tracks.filter(({ id }) => durations.has(id));
    const urls = new Map(readable.map(({ id, audioUrl }) => [id, audioUrl]));
    const durationS = Math.max(...durations.values());
    return new ElementPlayer({ urls, durationS, mixer, fetcher, report });
  }
  const sources = tracks.flatMap(({ id }) => {
    const source = opened.sources.get(id);
    return source ? [/** @type {[string, Source]} */ ([id, source])] : [];
  });
  if (!sources.length) throw new TypeError("no track can be played");
  const context = contextAt(sources[0][1].sampleRate);
  mixer.connect(context);
  const rate = context.sampleRate;
  const made = new Map(sources.map(([id, source]) => [id, new Track(id, source, rate)]));
  return new SlicePlayer({ context, tracks: made, mixer, report });
}
