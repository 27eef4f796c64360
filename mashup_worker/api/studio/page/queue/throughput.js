/** Figures of the jobs that ended within the last hours. */

import { shortTime } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";

/** @param {{throughput: import("./types.js").Fleet["throughput"]}} props */
export function Throughput({ throughput: { hours, total } }) {
  const words = texts.queue;
  const pair = (/** @type {{p50: number, p95: number} | null} */ times) =>
    times ? `${shortTime(times.p50)} / ${shortTime(times.p95)}` : "–";
  /** @type {[string, string][]} */
  const figures = [
    [words.completed, String(total.completed)],
    [words.failed, String(total.failed)],
    [words.canceled, String(total.canceled)],
    [words.waitingTime, pair(total.waiting_s)],
    [words.runningTime, pair(total.running_s)],
    [words.audio, shortTime(total.audio_s)],
    [words.deviceTime, shortTime(total.device_s)],
    ...(total.cost === null ? [] : [/** @type {[string, string]} */ ([words.cost, total.cost.toFixed(2)])]),
  ];
  return html`<section class="stack" aria-labelledby="throughput">
    <h2 id="throughput">${words.throughput(hours)}</h2>
    <dl class="figures">
      ${figures.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  </section>`;
}
