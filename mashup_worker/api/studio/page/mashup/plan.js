/** Plan of a mashup: a summary, the notes, and the document. */

import { useMemo } from "preact/hooks";

import { Button } from "../components/button.js";
import { duration, keyName, loudness, percent, tempo } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { changesOf, timeAt } from "./arrangement.js";

/** @import {MashupOutput, Plan} from "./types.js" */

/** @param {{output: MashupOutput, title: string}} props */
export function PlanView({ output, title }) {
  const { plan, report, warnings } = output;
  const words = texts.plan;
  const notes = [...warnings, ...plan.notes, ...report.notes];
  return html`<section class="stack" aria-labelledby="plan">
    <h2 id="plan">${words.title}</h2>
    <dl class="plan-facts">
      ${factsOf(plan).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
    <${Changes} plan=${plan} />
    ${
      notes.length > 0 &&
      html`<div class=${`note ${warnings.length ? "note-warn" : ""}`}>
      <div>
        <h3>${words.notes}</h3>
        <ul class="plain-list">
          ${notes.map((note) => html`<li key=${note}>${note}</li>`)}
        </ul>
      </div>
    </div>`
    }
    <${PlanDocument} plan=${plan} title=${title} />
  </section>`;
}

/** @param {Plan} plan @returns {[string, string][]} */
function factsOf(plan) {
  const words = texts.plan;
  const { grid, master } = plan;
  return [
    [words.form, words.forms[plan.form]],
    [words.vibe, `${texts.vibes[plan.vibe]?.name ?? plan.vibe}, ${percent(plan.intensity)}`],
    [words.tempo, [grid.tempo_bpm, ...(grid.tempo_changes ?? []).map(([, bpm]) => bpm)].map(tempo).join(", ")],
    [words.key, keyName(plan.key)],
    [words.length, words.bars(grid.bars, duration(timeAt(plan, grid.bars)))],
    [words.transition, texts.transitions[plan.transition] ?? plan.transition],
    [words.loudness, loudness(master.loudness_lufs)],
    [words.truePeak, `${master.true_peak_dbtp.toFixed(1).replace("-", "−")} dBTP`],
    [words.seed, String(plan.seed)],
  ];
}

/** @param {{plan: Plan}} props */
function Changes({ plan }) {
  const words = texts.plan;
  return html`<ul class="plan-songs" aria-label=${words.songs}>
    ${changesOf(plan).map(
      ({ song, kinds, tempo_bpm, speed, semitones }) => html`<li key=${song}>
        <strong>${song}</strong>
        <span class="muted">${kinds.map((kind) => texts.kinds[kind] ?? kind).join(", ")}</span>
        <span>${words.change(tempo(tempo_bpm), speed)}; ${words.transposed(semitones)}</span>
      </li>`,
    )}
  </ul>`;
}

/** @param {{plan: Plan, title: string}} props */
function PlanDocument({ plan, title }) {
  const text = useMemo(() => JSON.stringify(plan, null, 2), [plan]);
  const download = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `${title} - plan.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  return html`<details class="fold">
    <summary>${texts.plan.document}</summary>
    <div class="stack fold-body">
      <p class="muted small">${texts.plan.documentHint}</p>
      <div><${Button} small icon="download" onClick=${download}>${texts.plan.download}<//></div>
      <pre class="plan-json" tabindex="0" aria-label=${texts.plan.document}>${text}</pre>
    </div>
  </details>`;
}
