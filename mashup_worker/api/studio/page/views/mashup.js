/** Mashup: chosen songs and settings, results, and saved mashups. */

import { useEffect, useState } from "preact/hooks";

import { EmptyState } from "../components/empty.js";
import { Page } from "../components/page.js";
import { html } from "../html.js";
import { ResultPanel } from "../mashup/result.js";
import { ResultTabs } from "../mashup/result-tabs.js";
import { isNewTab, loadResults, results, reveal, select, selected, show } from "../mashup/results.js";
import { SavedMashups } from "../mashup/saved-list.js";
import { Setup } from "../mashup/setup.js";
import { stopPreview } from "../preview.js";
import { texts } from "../texts.js";

/** @param {{id?: string}} props Id of the job that the address names. */
export default function Mashup({ id }) {
  // Before the first paint, so that nothing moves down when the result appears.
  useState(() => id && show(id));
  useEffect(() => {
    if (id && id !== selected.value) show(id);
    if (id) reveal();
    void loadResults();
  }, [id]);
  useEffect(() => stopPreview, []);
  const isSearching = isNewTab.value && !results.value.length;
  const result = results.value.find((one) => one.id === selected.value);
  return html`<${Page} title=${texts.mashup.title} width="wide">
    <div class="mashup">
      <${Setup} />
      <div class="mashup-results stack">
        ${results.value.length > 0 && html`<${ResultTabs} onSelect=${select} />`}
        ${result && html`<${ResultPanel} result=${result} />`}
        ${!result && !isSearching && html`<${NoResult} />`}
        ${!isSearching && html`<${SavedMashups} />`}
      </div>
    </div>
  <//>`;
}

function NoResult() {
  const { noneTitle, noneText } = texts.mashup;
  return html`<div class="card"><${EmptyState} icon="songs" title=${noneTitle} text=${noneText} /></div>`;
}
