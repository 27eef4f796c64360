/** Mashup that is being made, failed or was canceled. */

import { useState } from "preact/hooks";

import { wordsOf, wordsOfJob } from "../api.js";
import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { Icon } from "../components/icons.js";
import { Progress } from "../components/progress.js";
import { html } from "../html.js";
import { notify } from "../state.js";
import { texts } from "../texts.js";
import { cancel, retry } from "./results.js";

/** @import {MashupJob} from "./types.js" */

/** Stages of a mashup job in their order. */
const STAGES = ["fetch", "prepare", "stretch", "mix", "master", "check", "peaks", "upload"];

/** @param {{job: MashupJob}} props */
export function RunningMashup({ job }) {
  const [isBusy, setBusy] = useState(false);
  const isCanceling = isBusy || Boolean(job.cancel_requested_at);
  const isQueued = job.status === "queued";
  const stage = isQueued ? "queued" : (job.stage ?? "processing");
  const text = isCanceling ? texts.songs.canceling : (texts.stages[stage] ?? stage);
  const stop = async () => {
    setBusy(true);
    await cancel(job.id).catch((error) => {
      notify(wordsOf(error).what);
      setBusy(false);
    });
  };
  return html`<div class="stack running">
    <${Progress} value=${isQueued ? null : job.progress / 100} text=${text} label=${texts.mashup.progress} />
    <p class="hidden-text" role="status">${text}</p>
    <${Stages} current=${isQueued ? "" : stage} />
    <div><${Button} icon="close" busy=${isCanceling} onClick=${stop}>${texts.songs.cancel}<//></div>
  </div>`;
}

/** @param {{current: string}} props */
function Stages({ current: now }) {
  const at = STAGES.indexOf(now);
  return html`<ol class="stages" aria-label=${texts.mashup.stages}>
    ${STAGES.map((stage, index) => {
      const state = index < at ? "done" : index === at ? "current" : "open";
      const current = state === "current" ? "step" : undefined;
      return html`<li key=${stage} class=${`stage stage-${state}`} aria-current=${current}>
        <span class="stage-mark">${state === "done" ? html`<${Icon} name="check" size=${14} />` : ""}</span>
        ${texts.stages[stage]}
        ${state === "done" && html`<span class="hidden-text"> (${texts.mashup.done})</span>`}
      </li>`;
    })}
  </ol>`;
}

/** @param {{job: MashupJob}} props */
export function EndedMashup({ job }) {
  const [isBusy, setBusy] = useState(false);
  const again = async () => {
    setBusy(true);
    try {
      await retry(job.id);
    } catch (error) {
      const { what, todo } = wordsOf(error);
      notify(`${what} ${todo}`);
      setBusy(false);
    }
  };
  const words = job.status === "failed" ? wordsOfJob(job) : texts.mashup.canceledWords;
  return html`<${ErrorNote} words=${words}>
    <${Button} small icon="retry" busy=${isBusy} onClick=${again}>${texts.errors.retry}<//>
  <//>`;
}
