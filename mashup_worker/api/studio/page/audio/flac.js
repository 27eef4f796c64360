/**
 * Slices of FLAC files: a frame decodes alone, so any run of frames behind a header is a file.
 *
 * @module
 */

/**
 * Answer of the API's `frames` routes.
 *
 * @typedef {object} FramesDocument
 * @property {number} sample_rate_hz
 * @property {number} channels
 * @property {number} bits bits of a sample
 * @property {number} samples samples of a channel
 * @property {number} frame_samples samples of every frame but the last
 * @property {string} stream_info base64 of the 34 bytes of STREAMINFO
 * @property {number[]} offsets byte offset of each frame, then the size of the file
 */

const STREAM_INFO_BYTES = 34;
const HEADER_BYTES = 4 + 4 + STREAM_INFO_BYTES;
const LAST_BLOCK = 0x80;

/** Index of the frames of a FLAC file. */
export class FrameIndex {
  /** @param {FramesDocument} document */
  constructor(document) {
    const { sample_rate_hz, channels, samples, frame_samples, offsets, stream_info } = document;
    const frames = Math.ceil(samples / frame_samples);
    if (!(sample_rate_hz > 0 && channels > 0 && frame_samples > 0)) {
      throw new TypeError("frame index: sizes are missing");
    }
    if (offsets.length !== frames + 1) {
      throw new TypeError(`frame index: ${offsets.length - 1} offsets for ${frames} frames`);
    }
    this.sampleRate = sample_rate_hz;
    this.channels = channels;
    this.samples = samples;
    this.frameSamples = frame_samples;
    this.offsets = offsets;
    this.header = header(stream_info);
  }

  /**
   * Return the last frame border at or before a sample.
   *
   * @param {number} sample
   */
  border(sample) {
    return sample >= this.samples ? this.samples : sample - (sample % this.frameSamples);
  }

  /**
   * Return the bytes of the frames that hold the samples from `from` to `to` (exclusive).
   *
   * @param {number} from
   * @param {number} to
   * @returns {{start: number, end: number, first: number, length: number}} Byte range `start` to
   *   `end` (exclusive), and the first sample and number of samples that it holds.
   */
  span(from, to) {
    const firstFrame = Math.floor(from / this.frameSamples);
    const endFrame = Math.ceil(Math.min(to, this.samples) / this.frameSamples);
    const first = firstFrame * this.frameSamples;
    return {
      start: this.offsets[firstFrame],
      end: this.offsets[endFrame],
      first,
      length: Math.min(endFrame * this.frameSamples, this.samples) - first,
    };
  }

  /**
   * Return a FLAC file of some frames.
   *
   * @param {ArrayBuffer} frames
   */
  file(frames) {
    const file = new Uint8Array(HEADER_BYTES + frames.byteLength);
    file.set(this.header);
    file.set(new Uint8Array(frames), HEADER_BYTES);
    return file.buffer;
  }
}

/**
 * Return the start of a FLAC file whose length and checksum are unknown.
 *
 * @param {string} streamInfo base64
 */
function header(streamInfo) {
  const info = Uint8Array.from(atob(streamInfo), (character) => character.charCodeAt(0));
  if (info.length !== STREAM_INFO_BYTES) {
    throw new TypeError(`frame index: STREAMINFO of ${info.length} bytes`);
  }
  info[13] &= 0xf0; // the highest 4 of the 36 bits of the number of samples
  info.fill(0, 14); // the other 32, and the MD5 checksum
  const start = new Uint8Array(HEADER_BYTES);
  start.set([0x66, 0x4c, 0x61, 0x43, LAST_BLOCK, 0, 0, STREAM_INFO_BYTES]);
  start.set(info, 8);
  return start;
}
