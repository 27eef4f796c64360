/** Exports of a song for DJ programs and DAWs: a job makes the file, which is then downloaded. */

import { useEffect, useRef, useState } from "preact/hooks";

import { get, post, wordsOf, wordsOfJob } from "../api.js";
import { Button } from "../components/button.js";
import { Select } from "../components/field.js";
import { Progress } from "../components/progress.js";
import { follow, hasEnded } from "../events.js";
import { html } from "../html.js";
import { texts } from "../texts.js";

/** @import {JobState, Song} from "../types.js" */

const FORMATS = Object.keys(texts.downloads.formats);

/** @param {{song: Song}} props */
export function Exports({ song }) {
  const [format, setFormat] = useState(FORMATS[0]);
  const { state, error, start } = useExport(song, format);
  const share = state && !hasEnded(state.status) ? state.progress / 100 : null;
  const options = FORMATS.map((value) => ({ value, label: texts.downloads.formats[value] }));
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
 * @param {Song} song
 * @param {string} format
 */
function useExport(song, format) {
  const [state, setState] = useState(/** @type {JobState | null} */ (null));
  const [error, setError] = useState("");
  const end = useRef(() => {});
  useEffect(() => () => end.current(), []);

  const start = async () => {
    setError("");
    try {
      const { jobId } = await post(`/api/songs/${song.id}/exports`, { formats: [format] });
      end.current = follow(jobId, async (reported) => {
        setState(reported);
        if (!hasEnded(reported.status)) return;
        end.current();
        const failure = await save(jobId, song.title, format, reported);
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
