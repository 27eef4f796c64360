/** Worker processes with their devices, memory and current jobs. */

import { fileSize, shortTime } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";

/** @import {Fleet, Process} from "./types.js" */

/** @param {{fleet: Fleet}} props */
export function Processes({ fleet: { processes, unreachable } }) {
  const words = texts.queue;
  return html`<section class="stack" aria-labelledby="processes">
    <h2 id="processes">${words.processes}</h2>
    ${
      unreachable.length > 0 &&
      html`<p class="note note-bad" role="alert">${words.unreachable(unreachable.join(", "))}</p>`
    }
    ${processes && !processes.length && html`<p class="note note-warn">${words.noProcess}</p>`}
    ${
      processes &&
      processes.length > 0 &&
      html`<ul class="processes">
      ${processes.map((process) => html`<${ProcessCard} key=${process.id} process=${process} />`)}
    </ul>`
    }
  </section>`;
}

/** @param {{process: Process}} props */
function ProcessCard({ process }) {
  const words = texts.queue;
  const { id, state, device, device_name, models, memory_bytes, uptime_s, heartbeat_age_s, queue, version } =
    process;
  const memory = process.device_memory_bytes;
  /** @type {[string, string][]} */
  const facts = [
    [words.queueColumn, queue],
    [words.device, device_name ? `${device}, ${device_name}` : device],
    [words.models, models.join(", ") || words.noModel],
    [words.memory, fileSize(memory_bytes)],
    ...(memory.allocated
      ? [
          /** @type {[string, string]} */ ([
            words.deviceMemory,
            words.memoryOf(fileSize(memory.allocated), fileSize(memory.total)),
          ]),
        ]
      : []),
    [words.uptime, shortTime(uptime_s)],
    [words.heartbeat, words.ago(shortTime(Math.max(1, Math.round(heartbeat_age_s))))],
    [words.version, version],
  ];
  return html`<li class="card process">
    <div class="row">
      <h3 class="grow ellipsis" title=${id}>${id}</h3>
      <span class=${`chip ${state === "ready" ? "chip-good" : "chip-warn"}`}>${words.states[state] ?? state}</span>
    </div>
    ${
      process.unreachable.length > 0 &&
      html`<p class="field-error">${words.unreachable(process.unreachable.join(", "))}</p>`
    }
    <${Current} process=${process} />
    <dl class="process-facts">
      ${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
  </li>`;
}

/** @param {{process: Process}} props */
function Current({ process: { id, job } }) {
  const words = texts.queue;
  const text = job
    ? `${words.types[job.job_type] ?? job.job_type}: ${texts.stages[job.stage ?? "processing"] ?? job.stage}`
    : words.idle;
  return html`<div class="progress process-job">
    <div class="progress-text">
      <span>${text}</span>
      ${job && html`<span>${words.percentAfter(job.progress, shortTime(job.age_s))}</span>`}
    </div>
    <progress aria-label=${words.jobOf(id)} max="100" value=${job?.progress ?? 0}></progress>
  </div>`;
}
