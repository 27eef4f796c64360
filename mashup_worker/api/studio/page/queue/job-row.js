/** Job in the list of the queue. */

import { useState } from "preact/hooks";

import { wordsOf } from "../api.js";
import { Button } from "../components/button.js";
import { dateTime, shortTime } from "../format.js";
import { hasEnded } from "../events.js";
import { html } from "../html.js";
import { notify } from "../state.js";
import { texts } from "../texts.js";
import { cancelJob, retryJob } from "./jobs.js";

/** @import {FleetJob} from "./types.js" */

const CHIPS = {
  queued: "",
  processing: "",
  completed: "chip-good",
  failed: "chip-bad",
  canceled: "chip-warn",
};

/** @param {{job: FleetJob, isRepeated: boolean, onChange: () => void}} props `isRepeated`: by another job. */
export function JobRow({ job, isRepeated, onChange }) {
  const words = texts.queue;
  const type = words.types[job.job_type] ?? job.job_type;
  return html`<li class="job">
    <div class="job-text">
      <p><strong>${type}</strong> <code class="job-id" title=${job.id}>${job.id.slice(0, 8)}</code></p>
      <p class="facts">
        <span>${job.user_id ? words.user(job.user_id.slice(0, 8)) : words.noUser}</span>
        <span>${dateTime(job.created_at)}</span>
        ${job.attempt > 1 && html`<span>${words.attempt(job.attempt)}</span>`}
      </p>
    </div>
    <div class="job-state"><span class=${`chip ${CHIPS[job.status]}`}>${texts.statuses[job.status]}</span></div>
    <div class="job-detail"><${Detail} job=${job} type=${type} /></div>
    <div class="job-tools">${!isRepeated && html`<${Action} job=${job} onChange=${onChange} />`}</div>
  </li>`;
}

/** Progress, reason of a failure, or duration. @param {{job: FleetJob, type: string}} props */
function Detail({ job, type }) {
  const words = texts.queue;
  if (job.status === "processing") {
    const stage = job.cancel_requested_at ? texts.songs.canceling : texts.stages[job.stage ?? "processing"];
    return html`<div class="progress">
      <div class="progress-text"><span>${stage ?? job.stage}</span><span>${job.progress} %</span></div>
      <progress aria-label=${words.progressOf(type)} max="100" value=${job.progress}></progress>
    </div>`;
  }
  if (job.status === "failed") {
    return html`<p><code>${job.error_code}</code> ${job.error_message}</p>`;
  }
  if (job.status === "queued") {
    return html`<p class="muted">${job.error_message ? words.failedBefore(job.error_message) : ""}</p>`;
  }
  const took =
    job.started_at && job.completed_at
      ? (Date.parse(job.completed_at) - Date.parse(job.started_at)) / 1_000
      : null;
  return html`<p class="muted">${took !== null && words.took(shortTime(took))}</p>`;
}

/** @param {{job: FleetJob, onChange: () => void}} props */
function Action({ job, onChange }) {
  const [isBusy, setBusy] = useState(false);
  const canRetry = hasEnded(job.status);
  const isCanceling = Boolean(job.cancel_requested_at) && !canRetry;
  if (job.status === "completed") return null;
  const run = async () => {
    setBusy(true);
    try {
      await (canRetry ? retryJob : cancelJob)(job.id);
      if (canRetry) notify(texts.queue.retried);
      onChange();
    } catch (error) {
      const { what, todo } = wordsOf(error);
      notify(`${what} ${todo}`);
    }
    setBusy(false);
  };
  return html`<${Button} small icon=${canRetry ? "retry" : "close"} busy=${isBusy || isCanceling} onClick=${run}>
    ${canRetry ? texts.errors.retry : texts.songs.cancel}<span class="hidden-text">: ${job.id.slice(0, 8)}</span>
  <//>`;
}
