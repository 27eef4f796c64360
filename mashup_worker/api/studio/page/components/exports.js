/** Exports of songs and mashups for DJ programs and DAWs: a job makes the file, which is then downloaded. */

import { useEffect, useRef, useState } from "preact/hooks";

import { get, post, wordsOf, wordsOfJob } from "../api.js";
import { follow, hasEnded } from "../events.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { Button } from "./button.js";
import { Select } from "./field.js";
import { Progress } from "./progress.js";

/** @import {JobState} from "../types.js" */

const FORMATS = Object.keys(texts.downloads.formats);

/** Formats that name other files, which browsers save under names of their own. */
const LISTS = ["rekordbox", "m3u8"];

/**
 * @typedef {object} Props
 * @property {string} path Where the job is created.
 * @property {string} title Start of the name of the saved file.
 * @property {boolean} [lists] Whether formats that name other files are offered.
 */

/** @param {Props} props */
export function Exports({ path, title, lists = true }) {
  const offered = FORMATS.filter((value) => lists || !LISTS.includes(value));
  const [format, setFormat] = useState(offered[0]);
  const { state, error, start } = useExport(path, title, format);
  const share = state && !hasEnded(state.status) ? state.progress / 100 : null;
  const options = offered.map((value) => ({ value, label: texts.downloads.formats[value] }));
  return html`<div class="row">
      <${Select} label=${texts.downloads.format} value=${format} onChange=${setFormat} options=${options} />
      <${Button} icon="download" disabled=${share !== null} onClick=${start}>${texts.downloads.export}<//>
    </div>
    <div class="downloads-state" role="status">
      ${share !== null &&
      html`<${Progress} value=${share} text=${texts.downloads.exporting} label=${texts.downloads.exporting} />`}
      ${error && html`<p class="field-error">${texts.downloads.notExported(error)}</p>`}
    </div>`;
}

/**
 * Start a job that makes a file, follow it, and hand the file to the browser.
 * @param {string} path
 * @param {string} title
 * @param {string} format
 */
function useExport(path, title, format) {
  const [state, setState] = useState(/** @type {JobState | null} */ (null));
  const [error, setError] = useState("");
  const end = useRef(() => {});
  useEffect(() => () => end.current(), []);

  const start = async () => {
    setError("");
    try {
      const { jobId } = await post(path, { formats: [format] });
      end.current = follow(jobId, async (reported) => {
        setState(reported);
        if (!hasEnded(reported.status)) return;
        end.current();
        const failure = await save(jobId, title, format, reported);
        if (failure) setError(failure);
      });
    } catch (failure) {
      setError(wordsOf(failure).what);
    }
  };
  return { state, error, start };
}

/**
 * Download the file of a job that has ended; return why there is none.
 * @param {string} jobId
 * @param {string} title
 * @param {string} format
 * @param {JobState} state
 */
async function save(jobId, title, format, state) {
  if (state.status !== "completed") return wordsOfJob(state).what;
  const { output_data: output } = await get(`/api/jobs/${jobId}`);
  if (!output.exports.length) return output.warnings.at(-1) ?? "";
  const link = document.createElement("a");
  link.href = `/api/jobs/${jobId}/exports/${format}?name=${encodeURIComponent(title)}`;
  link.download = "";
  link.click();
  return "";
}
