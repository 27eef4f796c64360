/**
 * WAV file of what the mixer of a transport plays now, made slice by slice.
 *
 * @module
 */

/** @typedef {import("./transport.js").Transport} Transport */
/** @typedef {import("./track.js").Track} Track */

const SLICE_S = 8;
const CHANNELS = 2;
const SAMPLE_BYTES = 2;
const HEADER_BYTES = 44;
const FULL_SCALE = 32_768;

/**
 * Mix all audible tracks of a transport to a stereo WAV file of 16 bits.
 *
 * A mix that would clip is made quieter as a whole.
 *
 * @param {Transport} transport
 * @param {object} [options]
 * @param {(share: number) => void} [options.onProgress] called with 0 to 1
 * @param {(gainDb: number) => void} [options.onReduced] called if the mix was made quieter
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<Blob>}
 */
export async function mixdown(transport, options = {}) {
  const { onProgress = () => {}, onReduced = () => {} } = options;
  const signal = options.signal ?? new AbortController().signal;
  await transport.ready;
  const mix = transport.audible;
  if (!mix.length) throw new RangeError("no track is audible");
  const { sampleRate } = transport;
  const samples = Math.round(transport.durationS * sampleRate);
  let scale = 1;
  for (let pass = 1; ; pass++) {
    const parts = [header(samples, sampleRate)];
    let peak = 0;
    for (let from = 0; from < samples; from += SLICE_S * sampleRate) {
      const to = Math.min(from + SLICE_S * sampleRate, samples);
      const slice = await render(mix, { from, to, sampleRate, signal });
      signal.throwIfAborted();
      peak = Math.max(peak, ...slice.map(absolutePeak));
      parts.push(new Blob([interleaved(slice, scale)])); // the browser may keep blobs on disk
      onProgress(to / samples);
    }
    if (peak <= 1 || pass === 2) return new Blob(parts, { type: "audio/wav" });
    scale = 1 / peak;
    onReduced(20 * Math.log10(scale));
    onProgress(0);
  }
}

/**
 * Render one slice.
 *
 * @param {{track: Track, gain: number}[]} mix
 * @param {{from: number, to: number, sampleRate: number, signal: AbortSignal}} range
 * @returns {Promise<Float32Array[]>} samples of each channel
 */
async function render(mix, { from, to, sampleRate, signal }) {
  const context = new OfflineAudioContext(CHANNELS, to - from, sampleRate);
  const playing = mix.filter(({ track }) => track.samples > from);
  const load = async (/** @type {{track: Track, gain: number}} */ { track, gain }) => {
    const buffer = await track.read(from, Math.min(to, track.samples), signal);
    const node = new AudioBufferSourceNode(context, { buffer });
    node.connect(new GainNode(context, { gain })).connect(context.destination);
    node.start();
  };
  await Promise.all(playing.map(load));
  const rendered = await context.startRendering();
  return [0, 1].map((channel) => rendered.getChannelData(channel));
}

/** @param {Float32Array} samples */
function absolutePeak(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

/**
 * Return samples of 16 bits, channel after channel in each frame.
 *
 * @param {Float32Array[]} channels
 * @param {number} scale
 */
function interleaved(channels, scale) {
  const view = new DataView(new ArrayBuffer(channels[0].length * CHANNELS * SAMPLE_BYTES));
  channels.forEach((samples, channel) => {
    samples.forEach((sample, index) => {
      const rounded = Math.round(sample * scale * FULL_SCALE);
      const value = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, rounded));
      view.setInt16((index * CHANNELS + channel) * SAMPLE_BYTES, value, true);
    });
  });
  return view.buffer;
}

/**
 * @param {number} samples
 * @param {number} sampleRate
 */
function header(samples, sampleRate) {
  const frameBytes = CHANNELS * SAMPLE_BYTES;
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (/** @type {number} */ offset, /** @type {string} */ value) =>
    [...value].forEach((one, index) => view.setUint8(offset + index, one.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + samples * frameBytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, CHANNELS, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * frameBytes, true);
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, 8 * SAMPLE_BYTES, true);
  text(36, "data");
  view.setUint32(40, samples * frameBytes, true);
  return new Blob([view]);
}
