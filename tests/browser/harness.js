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
