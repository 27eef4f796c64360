/** List of the jobs of all users, with filters, cancel and retry. */

import { useEffect, useRef, useState } from "preact/hooks";

import { wordsOf } from "../api.js";
import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { Select } from "../components/field.js";
import { html } from "../html.js";
import { useListKeys } from "../list-keys.js";
import { usePolling } from "../polling.js";
import { replaceAddress, search } from "../router.js";
import { notify } from "../state.js";
import { texts } from "../texts.js";
import { JobRow } from "./job-row.js";
import { jobs, loadMoreJobs, refreshJobs, showFresh } from "./jobs.js";

/** @import {JobFilters} from "./jobs.js" */

const REFRESH_MS = 3_000;

export function JobList() {
  const filters = filtersIn(search.value);
  const list = useRef(/** @type {HTMLUListElement | null} */ (null));
  const isHeld = () => Boolean(list.current?.matches(":hover, :focus-within"));
  const key = JSON.stringify(filters);
  const loadedFor = useRef("");
  const { error, refresh } = usePolling(
    async (abort) => {
      if (loadedFor.current !== key) jobs.value = null;
      loadedFor.current = key;
      await refreshJobs(filters, abort, isHeld());
    },
    REFRESH_MS,
    [key],
  );
  useEffect(() => () => void (jobs.value = null), []);
  const onKeyDown = useListKeys();
  const words = texts.queue;
  const found = jobs.value;
  const repeated = new Set(found?.items.map((job) => job.retry_of));
  return html`<section class="stack" aria-labelledby="jobs">
    <div class="jobs-head">
      <h2 id="jobs" class="grow">${words.jobs}</h2>
      <${Filters} filters=${filters} />
    </div>
    ${error && html`<${ErrorNote} error=${error} onRetry=${refresh} />`}
    <div class="jobs-fresh">
      ${
        found &&
        found.fresh.length > 0 &&
        html`<${Button} small onClick=${showFresh}>${words.showFresh(found.fresh.length)}<//>`
      }
    </div>
    ${found && !found.items.length && html`<p class="muted">${words.noJobs}</p>`}
    <ul class="list" ref=${list} hidden=${!found?.items.length} aria-labelledby="jobs" onKeyDown=${onKeyDown}>
      ${found?.items.map((job) => html`<${JobRow}
          key=${job.id}
          job=${job}
          isRepeated=${repeated.has(job.id)}
          onChange=${refresh}
        />`)}
    </ul>
    ${found?.next && html`<${MoreButton} filters=${filters} />`}
  </section>`;
}

/** @param {string} query @returns {JobFilters} */
function filtersIn(query) {
  const values = new URLSearchParams(query);
  return { status: values.get("status") ?? "", job_type: values.get("job_type") ?? "" };
}

/** @param {{filters: JobFilters}} props */
function Filters({ filters }) {
  /** @param {Partial<JobFilters>} some */
  const set = (some) => {
    const given = Object.entries({ ...filters, ...some }).filter(([, value]) => value);
    replaceAddress(`/queue${given.length ? `?${new URLSearchParams(given)}` : ""}`);
  };
  const options = (/** @type {Record<string, string>} */ names, /** @type {string} */ all) => [
    { value: "", label: all },
    ...Object.entries(names).map(([value, label]) => ({ value, label })),
  ];
  return html`<div class="jobs-filters">
    <${Select}
      label=${texts.queue.status}
      value=${filters.status}
      onChange=${(/** @type {string} */ status) => set({ status })}
      options=${options(texts.statuses, texts.queue.anyStatus)}
    />
    <${Select}
      label=${texts.queue.type}
      value=${filters.job_type}
      onChange=${(/** @type {string} */ job_type) => set({ job_type })}
      options=${options(texts.queue.types, texts.queue.anyType)}
    />
  </div>`;
}

/** @param {{filters: JobFilters}} props */
function MoreButton({ filters }) {
  const [isBusy, setBusy] = useState(false);
  const more = async () => {
    setBusy(true);
    await loadMoreJobs(filters).catch((error) => notify(wordsOf(error).what));
    setBusy(false);
  };
  return html`<div class="more"><${Button} busy=${isBusy} onClick=${more}>${texts.queue.more}<//></div>`;
}
