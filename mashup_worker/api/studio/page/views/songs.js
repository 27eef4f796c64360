/** Songs: uploads, the progress of their separation, and all songs of the user. */

import { useEffect, useRef, useState } from "preact/hooks";

import { get } from "../api.js";
import { Button } from "../components/button.js";
import { EmptyState } from "../components/empty.js";
import { ErrorNote } from "../components/error.js";
import { Page } from "../components/page.js";
import { SongRow, SongSkeleton } from "../components/song-row.js";
import { UploadRow } from "../components/upload-row.js";
import { Icon } from "../components/icons.js";
import { html } from "../html.js";
import { addFiles, loadMoreSongs, loadSongs, nextCursor, uploads } from "../library.js";
import { stopPreview } from "../preview.js";
import { songs } from "../state.js";
import { texts } from "../texts.js";

const ACCEPTED = "audio/*,video/mp4,.mp3,.wav,.flac,.m4a,.aac,.ogg,.opus,.aiff,.aif";

export default function Songs() {
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const load = () => {
    setError(null);
    loadSongs().catch(setError);
  };
  useEffect(() => {
    load();
    const onShow = () => document.visibilityState === "visible" && load(); // another tab may have added songs
    document.addEventListener("visibilitychange", onShow);
    return () => {
      document.removeEventListener("visibilitychange", onShow);
      stopPreview();
    };
  }, []);
  return html`<${Page} title=${texts.songs.title} busy=${!songs.value && !error}>
    <div class="stack">
      <${DropZone} />
      ${error && html`<${ErrorNote} error=${error} onRetry=${load} />`}
      <${SongList} hasFailed=${Boolean(error)} />
    </div>
  <//>`;
}

/** @param {{hasFailed: boolean}} props */
function SongList({ hasFailed }) {
  const list = songs.value;
  if (!list && hasFailed && !uploads.value.length) return null;
  if (list && !list.length && !uploads.value.length) {
    return html`<${EmptyState} icon="songs" title=${texts.songs.emptyTitle} text=${texts.songs.emptyText} />`;
  }
  return html`
    <ul class="list" aria-label=${texts.songs.title}>
      ${uploads.value.map((upload) => html`<${UploadRow} key=${upload.id} upload=${upload} />`)}
      ${
        list
          ? list.map((song) => html`<${SongRow} key=${song.id} song=${song} />`)
          : [0, 1, 2, 3].map((at) => html`<${SongSkeleton} key=${at} />`)
      }
    </ul>
    ${list && nextCursor.value && html`<${MoreButton} />`}
  `;
}

function MoreButton() {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const more = async () => {
    setBusy(true);
    setError(null);
    await loadMoreSongs().catch(setError);
    setBusy(false);
  };
  return html`<div class="more">
    ${error && html`<${ErrorNote} error=${error} />`}
    <${Button} busy=${isBusy} onClick=${more}>${texts.songs.more}<//>
  </div>`;
}

function DropZone() {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isOver = useFileDrop(addFiles);
  /** @param {Event & {currentTarget: HTMLInputElement}} event */
  const onChange = (event) => {
    addFiles(event.currentTarget.files ?? []);
    event.currentTarget.value = ""; // so that the same file can be chosen again
  };
  return html`<section class=${`drop ${isOver ? "is-over" : ""}`} aria-label=${texts.songs.upload}>
    <${Icon} name="upload" size=${24} />
    <div class="grow">
      <p><strong>${texts.songs.drop}</strong></p>
      <p class="muted small">${texts.songs.formats} <${Allowance} /></p>
    </div>
    <${Button} kind="primary" onClick=${() => input.current?.click()}>${texts.songs.chooseFiles}<//>
    <input
      ref=${input}
      type="file"
      multiple
      accept=${ACCEPTED}
      hidden
      onChange=${onChange}
    />
  </section>`;
}

/** Separations that the user's tier still includes. */
function Allowance() {
  const [text, setText] = useState("");
  const done = songs.value?.length;
  useEffect(() => {
    get("/api/billing/subscription").then(
      (subscription) => setText(texts.songs.allowance(subscription)),
      () => {}, // an upload reports the limit too
    );
  }, [done]);
  return text;
}

/**
 * Accept files that are dropped anywhere on the page.
 * @param {(files: Iterable<File>) => void} onFiles
 * @returns {boolean} Whether files are over the page.
 */
function useFileDrop(onFiles) {
  const [depth, setDepth] = useState(0);
  useEffect(() => {
    /** @param {DragEvent} event */
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    /** @type {Record<string, (event: DragEvent) => void>} */
    const handlers = {
      dragenter: () => setDepth((count) => count + 1),
      dragleave: () => setDepth((count) => Math.max(0, count - 1)),
      dragover: (event) => event.preventDefault(),
      drop: (event) => {
        event.preventDefault();
        setDepth(0);
        onFiles(event.dataTransfer?.files ?? []);
      },
    };
    const listeners = Object.entries(handlers).map(([name, handler]) => {
      const listener = (/** @type {any} */ event) => hasFiles(event) && handler(event);
      addEventListener(name, listener);
      return () => removeEventListener(name, listener);
    });
    return () => listeners.forEach((remove) => remove());
  }, []);
  return depth > 0;
}
