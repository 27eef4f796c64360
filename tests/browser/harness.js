/**
 * Renders a transport through an OfflineAudioContext, and does things at given times.
 *
 * @module
 */

import { Transport } from "/audio/transport.js";

const FEED_S = 4;

/** @param {string[]} names */
export const tracksOf = (names) =>
  names.map((name) => ({
    id: name,
    audioUrl: `/files/${name}.flac`,
    framesUrl: `/files/${name}.json`,
  }));

/**
 * @typedef {object} Step
 * @property {number} at seconds of the context
 * @property {string} [call] method of the transport
 * @property {any[]} [with] its arguments
 * @property {{startS: number, endS: number} | null} [loop]
 */

/**
 * Play from the start, do the steps, and send the samples to the server, channel after channel.
 *
 * @param {object} options
 * @param {string[]} options.names
 * @param {number} options.rate
 * @param {number} options.seconds
 * @param {Step[]} [options.steps]
 * @param {{startS: number, endS: number}} [options.loop]
 * @param {number} [options.from] where playing starts, in seconds
 * @param {boolean} [options.send]
 * @returns {Promise<{frame: number, position: number, bytes: number, state: string}[]>} State of
 *   the transport after each step and each feed.
 */
export async function render({ names, rate, seconds, steps = [], loop, from = 0, send = true }) {
  const context = new OfflineAudioContext(2, Math.round(seconds * rate), rate);
  const transport = new Transport({ tracks: tracksOf(names), context });
  await transport.ready;
  const log = [];
  const note = () =>
    log.push({
      frame: Math.round(context.currentTime * rate),
      position: Math.round(transport.positionS * rate),
      bytes: transport.decodedBytes,
      state: transport.state,
    });
  const act = async (/** @type {Step} */ { call, with: values = [], loop }) => {
    if (loop !== undefined) transport.loop = loop;
    await transport[call]?.(...values);
    await transport.feed();
    note();
  };
  const due = new Map(steps.map((step) => [step.at, step]));
  for (let at = FEED_S; at < seconds; at += FEED_S) if (!due.has(at)) due.set(at, { at });
  for (const step of due.values()) {
    context.suspend(step.at).then(async () => {
      await act(step);
      context.resume();
    });
  }
  if (loop) transport.loop = loop;
  transport.seek(from);
  await transport.play();
  await transport.feed();
  const buffer = await context.startRendering();
  if (send) {
    const channels = [0, 1].map((channel) => buffer.getChannelData(channel));
    await fetch("/rendered", { method: "PUT", body: new Blob(channels) });
  }
  await transport.close();
  return log;
}

/**
 * Make the transport of the page, `window.transport`, and note its events in `window.events`.
 *
 * @param {object[]} tracks
 */
export function open(tracks) {
  const transport = new Transport({ tracks });
  window.transport = transport;
  window.events = [];
  for (const name of ["trackfailed", "unauthorized", "ended"]) {
    transport.addEventListener(name, ({ detail }) => window.events.push([name, detail]));
  }
  return transport;
}

/**
 * Return the level in dB and the frequency of the loudest part of what a track plays now.
 *
 * @param {string} id
 */
export function heard(id) {
  const analyser = window.transport.analyser(id);
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.smoothingTimeConstant = 0;
  analyser.getFloatFrequencyData(levels);
  const bin = levels.reduce((best, level, index) => (level > levels[best] ? index : best), 0);
  return { db: levels[bin], hz: (bin * analyser.context.sampleRate) / analyser.fftSize };
}

/**
 * Record what a track plays from now on; `send` puts it on the server.
 *
 * @param {string} id
 */
export async function record(id) {
  const analyser = window.transport.analyser(id);
  await analyser.context.audioWorklet.addModule("/support/recorder.js");
  const node = new AudioWorkletNode(analyser.context, "recorder", { channelCount: 1 });
  const blocks = [];
  node.port.onmessage = ({ data }) => blocks.push(data);
  analyser.connect(node).connect(analyser.context.destination);
  window.send = () => fetch("/rendered", { method: "PUT", body: new Blob(blocks) });
}

Object.assign(window, { open, heard, record });
