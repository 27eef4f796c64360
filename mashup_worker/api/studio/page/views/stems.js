/** Stems that the user may use: filters, and compatibility with a chosen song or stem. */

import { useEffect, useState } from "preact/hooks";

import { Button } from "../components/button.js";
import { EmptyState } from "../components/empty.js";
import { ErrorNote } from "../components/error.js";
import { Page } from "../components/page.js";
import { SongSkeleton } from "../components/song-row.js";
import { html } from "../html.js";
import { useListKeys } from "../list-keys.js";
import { stopPreview } from "../preview.js";
import { href, replaceAddress, search } from "../router.js";
import { texts } from "../texts.js";
import { catalog, loadMoreStems, loadStems } from "../stems/catalog.js";
import { FilterBar } from "../stems/filter-bar.js";
import { countFilters, filtersIn, isRangeEmpty, NO_FILTERS, queryOf } from "../stems/filters.js";
import { StemRow } from "../stems/row.js";

/** @import {Filters} from "../stems/filters.js" */

export default function Stems() {
  const filters = filtersIn(search.value);
  const [isBusy, setBusy] = useState(true);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  const load = async () => {
    if (isRangeEmpty(filters)) return;
    setBusy(true);
    setError(null);
    try {
      if (await loadStems(filters)) setBusy(false);
    } catch (refusal) {
      setError(refusal);
      setBusy(false);
    }
  };
  useEffect(() => void load(), [queryOf(filters)]);
  useEffect(() => {
    catalog.value = null;
    return stopPreview;
  }, []);

  /** @param {Filters} changed */
  const onChange = (changed) => replaceAddress(`/stems${queryOf(changed)}`);
  return html`<${Page} title=${texts.stems.title} busy=${isBusy}>
    <div class="stack">
      <${FilterBar} filters=${filters} onChange=${onChange} />
      ${error && html`<${ErrorNote} error=${error} onRetry=${load} />`}
      <${Found}
        filters=${filters}
        isBusy=${isBusy}
        hasFailed=${Boolean(error)}
        onClear=${() => onChange(NO_FILTERS)}
      />
    </div>
  <//>`;
}

/** @param {{filters: Filters, isBusy: boolean, hasFailed: boolean, onClear: () => void}} props */
function Found({ filters, isBusy, hasFailed, onClear }) {
  const onKeyDown = useListKeys();
  const found = catalog.value;
  if (hasFailed && !found) return null;
  if (found && !found.items.length && !isBusy) {
    return countFilters(filters)
      ? html`<${EmptyState} icon="stems" title=${texts.stems.noneTitle} text=${texts.stems.noneText}>
          <${Button} onClick=${onClear}>${texts.stems.filters.clear}<//>
        <//>`
      : html`<${EmptyState} icon="stems" title=${texts.stems.emptyTitle} text=${texts.stems.emptyText}>
          <${Button} kind="primary" href=${href("/songs")}>${texts.stems.toSongs}<//>
        <//>`;
  }
  return html`
    <p class="hidden-text" role="status">
      ${found && !isBusy && texts.stems.found(found.items.length, Boolean(found.next))}
    </p>
    <ul class=${`list ${found && isBusy ? "is-stale" : ""}`} aria-label=${texts.stems.title} onKeyDown=${onKeyDown}>
      ${
        found
          ? found.items.map((stem) => html`<${StemRow} key=${stem.id} stem=${stem} />`)
          : [0, 1, 2, 3, 4, 5].map((at) => html`<${SongSkeleton} key=${at} />`)
      }
    </ul>
    ${found?.next && html`<${MoreButton} filters=${filters} />`}
  `;
}

/** @param {{filters: Filters}} props */
function MoreButton({ filters }) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const more = async () => {
    setBusy(true);
    setError(null);
    try {
      const first = await loadMoreStems(filters);
      // The button vanishes with the last page, so the focus moves to the first new stem.
      requestAnimationFrame(() => document.getElementById(`stem-${first}`)?.querySelector("button")?.focus());
    } catch (refusal) {
      setError(refusal);
    }
    setBusy(false);
  };
  return html`<div class="more">
    ${error && html`<${ErrorNote} error=${error} />`}
    <${Button} busy=${isBusy} onClick=${more}>${texts.stems.more}<//>
  </div>`;
}
