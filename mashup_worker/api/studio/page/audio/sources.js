/**
 * Files as sources of samples: FLAC by byte range, other short files decoded as a whole.
 *
 * @module
 */

import { USUAL_RATE_HZ } from "./context.js";
import { HttpError } from "./fetching.js";
import { FrameIndex } from "./flac.js";

/** @typedef {import("./fetching.js").Fetcher} Fetcher */
/** @typedef {{id: string, audioUrl: string, framesUrl?: string | null}} TrackOptions */

/**
 * File whose samples can be read from any position.
 *
 * @typedef {object} Source
 * @property {number} sampleRate
 * @property {number} channels
 * @property {number} samples
 * @property {number} bytes bytes of decoded samples that the source itself holds
 * @property {(sample: number) => number} border last position at or before `sample` where reading
 *   can start without decoding more than asked for
 * @property {(from: number, to: number, signal: AbortSignal) => Promise<AudioBuffer>} read
 */

const DECODED_BYTES = 64e6; // of all files without an index together
const FLOAT_BYTES = 4;
const USUAL_CHANNELS = 2;

/** FLAC file with a frame index, read by byte range. */
export class FlacSource {
  bytes = 0;

  /**
   * @param {FrameIndex} index
   * @param {string} url
   * @param {Fetcher} fetcher
   */
  constructor(index, url, fetcher) {
    this.index = index;
    this.url = url;
    this.fetcher = fetcher;
    this.sampleRate = index.sampleRate;
    this.channels = index.channels;
    this.samples = index.samples;
    this.decoder = decoder(index.sampleRate);
  }

  /** @param {number} sample */
  border(sample) {
    return this.index.border(sample);
  }

  /**
   * Return the samples from `from` to `to` (exclusive).
   *
   * @param {number} from
   * @param {number} to
   * @param {AbortSignal} signal
   */
  async read(from, to, signal) {
    const { start, end, first, length } = this.index.span(from, to);
    const frames = await this.fetcher.bytes(this.url, signal, start, end);
    const buffer = await decode(this.decoder, this.index.file(frames));
    if (buffer.length !== length) {
      throw new TypeError(`${this.url}: ${buffer.length} samples where the index has ${length}`);
    }
    const part = cut(buffer, from - first, to - first);
    if (part !== buffer) free(buffer);
    return part;
  }
}

/** Samples of a whole file. */
export class DecodedSource {
  /** @param {AudioBuffer} buffer */
  constructor(buffer) {
    this.buffer = buffer;
    this.sampleRate = buffer.sampleRate;
    this.channels = buffer.numberOfChannels;
    this.samples = buffer.length;
    this.bytes = bytesOf(buffer);
  }

  /** @param {number} sample */
  border(sample) {
    return sample;
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  async read(from, to) {
    return cut(this.buffer, from, to);
  }
}

/**
 * Open the files of tracks.
 *
 * @param {TrackOptions[]} tracks
 * @param {Fetcher} fetcher
 * @param {AbortSignal} signal
 * @param {(id: string, reason: unknown) => void} failed called for each track that can't be read
 * @returns {Promise<{sources: Map<string, Source>, durations: Map<string, number> | null}>} The
 *   sources of readable tracks; `durations` in seconds instead of sources if files without an
 *   index are too long to decode.
 */
export async function openSources(tracks, fetcher, signal, failed) {
  /** @type {Map<string, Source>} */
  const sources = new Map();
  /** @type {Map<string, number>} */
  const durations = new Map();
  await each(tracks, failed, async (track) => {
    const index = await frameIndex(track, fetcher, signal);
    if (index) sources.set(track.id, new FlacSource(index, track.audioUrl, fetcher));
    else durations.set(track.id, await duration(track.audioUrl, fetcher, signal));
  });
  const total = [...durations.values()].reduce((sum, one) => sum + one, 0);
  if (total * USUAL_RATE_HZ * USUAL_CHANNELS * FLOAT_BYTES > DECODED_BYTES) {
    for (const [id, { samples, sampleRate }] of sources) durations.set(id, samples / sampleRate);
    return { sources: new Map(), durations };
  }
  const rate = [...sources.values()][0]?.sampleRate ?? USUAL_RATE_HZ;
  const whole = tracks.filter(({ id }) => durations.has(id));
  await each(whole, failed, async ({ id, audioUrl }) => {
    const bytes = await fetcher.bytes(audioUrl, signal);
    sources.set(id, new DecodedSource(await decode(decoder(rate), bytes)));
  });
  return { sources, durations: null };
}

/**
 * @param {TrackOptions[]} tracks
 * @param {(id: string, reason: unknown) => void} failed
 * @param {(track: TrackOptions) => Promise<void>} work
 */
async function each(tracks, failed, work) {
  await Promise.all(tracks.map((track) => work(track).catch((error) => failed(track.id, error))));
}

/**
 * @param {TrackOptions} track
 * @param {Fetcher} fetcher
 * @param {AbortSignal} signal
 */
async function frameIndex({ framesUrl }, fetcher, signal) {
  if (!framesUrl) return null;
  try {
    return new FrameIndex(await fetcher.json(framesUrl, signal));
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return null;
    throw error;
  }
}

/**
 * Return the duration of a file in seconds, as the browser's own player finds it.
 *
 * @param {string} url
 * @param {Fetcher} fetcher
 * @param {AbortSignal} signal
 * @returns {Promise<number>}
 */
async function duration(url, fetcher, signal) {
  await fetcher.bytes(url, signal, 0, 1); // answers that are errors have their status here
  const element = new Audio();
  try {
    return await new Promise((resolve, reject) => {
      element.onloadedmetadata = () => resolve(element.duration);
      element.onerror = () => reject(new TypeError(`${url}: no audio that this browser plays`));
      element.preload = "metadata";
      element.src = url;
    });
  } finally {
    element.removeAttribute("src");
  }
}

/**
 * Return what decodes files at a rate, their own; the context that plays them may have another.
 *
 * @param {number} sampleRate
 */
const decoder = (sampleRate) => new OfflineAudioContext(1, 1, sampleRate);

/**
 * Decode a file, and let the garbage collector count the samples: Chromium shows them to it only
 * when a script touches them, and holds several times as many otherwise.
 *
 * @param {OfflineAudioContext} decoder
 * @param {ArrayBuffer} file
 */
async function decode(decoder, file) {
  const buffer = await decoder.decodeAudioData(file);
  for (const channel of channelsOf(buffer)) channel.at(0);
  return buffer;
}

/**
 * Return the samples from `from` to `to` (exclusive) of a buffer.
 *
 * @param {AudioBuffer} buffer
 * @param {number} from
 * @param {number} to
 */
function cut(buffer, from, to) {
  if (from === 0 && to === buffer.length) return buffer;
  const { numberOfChannels, sampleRate } = buffer;
  const part = new AudioBuffer({ length: to - from, numberOfChannels, sampleRate });
  channelsOf(buffer).forEach((samples, channel) => {
    part.copyToChannel(samples.subarray(from, to), channel);
  });
  return part;
}

/** @param {AudioBuffer} buffer */
const channelsOf = (buffer) =>
  Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel));

/**
 * Give back the memory of samples that are no longer needed.
 *
 * @param {AudioBuffer} buffer
 */
function free(buffer) {
  for (const samples of channelsOf(buffer)) samples.buffer.transfer(0);
}

/** @param {AudioBuffer} buffer */
export const bytesOf = (buffer) => buffer.length * buffer.numberOfChannels * FLOAT_BYTES;
