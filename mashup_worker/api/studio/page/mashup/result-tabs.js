/** Tabs of the results, side by side with what distinguishes them. */

import { Button } from "../components/button.js";
import { keyName, percent, tempo } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { hide, results, selected } from "./results.js";

/** @import {Result} from "./results.js" */

/** @param {{onSelect: (id: string) => void}} props */
export function ResultTabs({ onSelect }) {
  const list = results.value;
  /** @param {KeyboardEvent & {currentTarget: HTMLElement}} event */
  const onKeyDown = (event) => {
    const at = list.findIndex(({ id }) => id === selected.value);
    const targets = /** @type {Record<string, number>} */ ({
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: list.length - 1,
    });
    const next = list[targets[event.key]];
    if (!next) return;
    event.preventDefault();
    onSelect(next.id);
    document.getElementById(`tab-${next.id}`)?.focus();
  };
  return html`<div class="result-tabs" role="tablist" aria-label=${texts.mashup.results} onKeyDown=${onKeyDown}>
    ${list.map((result, at) => {
      const isSelected = result.id === selected.value;
      return html`<button
        key=${result.id}
        type="button"
        role="tab"
        class="result-tab"
        id=${`tab-${result.id}`}
        aria-selected=${isSelected ? "true" : "false"}
        aria-controls=${isSelected ? "result" : undefined}
        tabindex=${isSelected ? 0 : -1}
        onClick=${() => onSelect(result.id)}
      >
        <span class="result-tab-name">${texts.mashup.take(at + 1)}</span>
        <span class="result-tab-text">${summaryOf(result)}</span>
        <${TabState} result=${result} />
      </button>`;
    })}
  </div>`;
}

/** @param {{result: Result}} props */
function TabState({ result: { job, error } }) {
  if (error) return html`<span class="chip chip-bad">${texts.statuses.failed}</span>`;
  if (!job) return html`<span class="chip">…</span>`;
  if (job.status === "completed") {
    const { measurements } = job.output_data?.report ?? { measurements: [] };
    const judged = measurements.filter(({ passed }) => passed !== null);
    const count = judged.filter(({ passed }) => passed).length;
    const isGood = count === judged.length;
    return html`<span class=${`chip ${isGood ? "chip-good" : "chip-warn"}`}>
      ${texts.report.short(count, judged.length)}
    </span>`;
  }
  const isRunning = job.status === "processing" || job.status === "queued";
  if (isRunning) return html`<span class="chip">${percent(job.progress / 100)}</span>`;
  const look = job.status === "failed" ? "chip-bad" : "";
  return html`<span class=${`chip ${look}`}>${texts.statuses[job.status]}</span>`;
}

/** @param {Result} result */
function summaryOf({ job }) {
  if (!job) return "";
  const { vibe = "club", intensity = 0.5, tempo_bpm, key } = job.input_data.config ?? {};
  const plan = job.output_data?.plan;
  const parts = [
    `${texts.vibes[vibe]?.name ?? vibe} ${percent(intensity)}`,
    tempo(plan?.grid.tempo_bpm ?? tempo_bpm),
    keyName(plan?.key ?? key),
  ];
  return parts.filter((part) => part !== "–").join(" · ");
}

/** Button that removes the shown result from the tabs. @param {{id: string}} props */
export function HideButton({ id }) {
  return html`<${Button} kind="quiet" icon="close" label=${texts.mashup.hide} onClick=${() => hide(id)} />`;
}
