/** Queues by tier, with pause and resume. */

import { useState } from "preact/hooks";

import { post, wordsOf } from "../api.js";
import { Button } from "../components/button.js";
import { dateTime, shortTime } from "../format.js";
import { html } from "../html.js";
import { notify } from "../state.js";
import { texts } from "../texts.js";

/** @import {OpenFigures, QueueFigures} from "./types.js" */

/** @param {{queues: QueueFigures[], onChange: () => void}} props */
export function Queues({ queues, onChange }) {
  const words = texts.queue;
  return html`<section class="stack" aria-labelledby="queues">
    <h2 id="queues">${words.queues}</h2>
    <div class="table-scroll" role="group" aria-labelledby="queues" tabindex="0">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">${words.queueColumn}</th>
            <th scope="col" class="number">${words.waiting}</th>
            <th scope="col" class="number">${words.running}</th>
            <th scope="col" class="number">${words.oldest}</th>
            <th scope="col"><span class="hidden-text">${words.actions}</span></th>
          </tr>
        </thead>
        ${queues.map((queue) => html`<${QueueRows} key=${queue.name} queue=${queue} onChange=${onChange} />`)}
      </table>
    </div>
  </section>`;
}

/** @param {{queue: QueueFigures, onChange: () => void}} props */
function QueueRows({ queue, onChange }) {
  const types = queue.job_types.map((type) => texts.queue.types[type] ?? type).join(", ");
  return html`<tbody>
    <tr>
      <th scope="row">
        ${queue.name}${" "}
        ${
          queue.paused_at &&
          html`<span class="chip chip-warn">${texts.queue.pausedSince(dateTime(queue.paused_at))}</span>`
        }
        <span class="queue-types muted small wide-only">${types}</span>
      </th>
      <${Figures} figures=${queue} />
      <td class="number"><${PauseButton} queue=${queue} onChange=${onChange} /></td>
    </tr>
    ${queue.tiers.map(
      (tier) => html`<tr key=${tier.tier} class="queue-tier">
        <th scope="row">${texts.queue.tier(tier.tier)}</th>
        <${Figures} figures=${tier} />
        <td></td>
      </tr>`,
    )}
  </tbody>`;
}

/** @param {{figures: OpenFigures}} props */
function Figures({ figures: { queued, running, oldest_queued_s: oldest } }) {
  return html`
    <td class="number">${queued}</td>
    <td class="number">${running}</td>
    <td class="number">${shortTime(oldest)}</td>
  `;
}

/** @param {{queue: QueueFigures, onChange: () => void}} props */
function PauseButton({ queue, onChange }) {
  const [isBusy, setBusy] = useState(false);
  const isPaused = queue.paused_at !== null;
  const change = async () => {
    setBusy(true);
    try {
      await post(`/api/fleet/queues/${encodeURIComponent(queue.name)}/${isPaused ? "resume" : "pause"}`);
      notify(isPaused ? texts.queue.resumed(queue.name) : texts.queue.paused(queue.name));
      onChange();
    } catch (error) {
      const { what, todo } = wordsOf(error);
      notify(`${what} ${todo}`);
    }
    setBusy(false);
  };
  return html`<${Button} small icon=${isPaused ? "play" : "pause"} busy=${isBusy} onClick=${change}>
    <span class="wide-only">${isPaused ? texts.queue.resume : texts.queue.pause}</span
    ><span class="hidden-text">: ${queue.name}</span>
  <//>`;
}
