/** Result of a mashup: player, measurements, plan, and what to do with it. */

import { useState } from "preact/hooks";

import { wordsOf } from "../api.js";
import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { Exports } from "../components/exports.js";
import { dateTime, fileSize } from "../format.js";
import { html } from "../html.js";
import { notify } from "../state.js";
import { texts } from "../texts.js";
import { ArrangementText } from "./arrangement-text.js";
import { Listen } from "./listen.js";
import { PlanView } from "./plan.js";
import { ReportTables } from "./report.js";
import { reuse } from "./reuse.js";
import { HideButton } from "./result-tabs.js";
import { load } from "./results.js";
import { EndedMashup, RunningMashup } from "./running.js";
import { SavePanel } from "./save.js";
import { titleOf } from "./title.js";

/** @import {Result} from "./results.js" */
/** @import {MashupJob} from "./types.js" */

/** @param {{result: Result}} props */
export function ResultPanel({ result }) {
  const { id, job, error } = result;
  const title = job ? titleOf(job) : texts.mashup.result;
  return html`<div class="card stack result" id="result" role="tabpanel" aria-labelledby=${`tab-${id}`}>
    <div class="result-head">
      <div class="grow">
        <h2>${title}</h2>
        <p class="facts">${job && html`<span>${dateTime(job.created_at)}</span>`}</p>
      </div>
      ${job && html`<${Tools} job=${job} title=${title} />`}
      <${HideButton} id=${id} />
    </div>
    ${error && html`<${ErrorNote} error=${error} onRetry=${() => load(id)} />`}
    ${!job && !error && html`<div class="skeleton result-skeleton"></div>`}
    ${job && html`<${Content} key=${id} job=${job} title=${title} />`}
  </div>`;
}

/** @param {{job: MashupJob, title: string}} props */
function Content({ job, title }) {
  if (job.status === "queued" || job.status === "processing") return html`<${RunningMashup} job=${job} />`;
  const output = job.output_data;
  if (job.status !== "completed" || !output) return html`<${EndedMashup} job=${job} />`;
  return html`
    <${Listen} jobId=${job.id} output=${output} title=${title} />
    <${ArrangementText} plan=${output.plan} />
    <${SavePanel} jobId=${job.id} title=${title} />
    <${Exports} path=${`/api/jobs/${job.id}/exports`} title=${title} lists=${false} />
    <${ReportTables} report=${output.report} />
    <${PlanView} output=${output} title=${title} />
  `;
}

/** @param {{job: MashupJob, title: string}} props */
function Tools({ job, title }) {
  const [isBusy, setBusy] = useState(false);
  const audio = job.output_data?.audio;
  const copy = async () => {
    setBusy(true);
    try {
      await reuse(job);
      notify(texts.mashup.reused);
    } catch (error) {
      notify(wordsOf(error).what);
    }
    setBusy(false);
  };
  return html`
    <${Button} small busy=${isBusy} onClick=${copy}>${texts.mashup.reuse}<//>
    ${
      audio &&
      html`<${Button}
      small
      icon="download"
      href=${`/api/jobs/${job.id}/audio`}
      download=${`${title}.${audio.format}`}
    >
      ${texts.mashup.download(audio.format.toUpperCase(), fileSize(audio.bytes))}
    <//>`
    }
  `;
}
