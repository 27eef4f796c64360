/** File in the list of songs while it is uploaded. */

import { wordsOf } from "../api.js";
import { fileSize } from "../format.js";
import { html } from "../html.js";
import { removeUpload, retryUpload } from "../library.js";
import { texts } from "../texts.js";
import { Button } from "./button.js";
import { Progress } from "./progress.js";

/** @param {{upload: import("../library.js").Upload}} props */
export function UploadRow({ upload }) {
  const { file, state, share, error, key } = upload;
  const hasFailed = state === "failed";
  return html`<li class=${`song ${hasFailed ? "song-ended" : ""}`}>
    <div class="song-play">${!hasFailed && html`<span class="spinner" aria-hidden="true"></span>`}</div>
    <div class="song-text">
      <span class="song-title">${file.name}</span>
      ${
        hasFailed
          ? html`<p><span class="chip chip-bad">${key ? texts.songs.notStarted : texts.songs.notUploaded}</span></p>`
          : html`<p class="facts">${fileSize(file.size)}</p>`
      }
    </div>
    ${
      hasFailed
        ? html`<${Refusal} error=${error} />`
        : html`<div class="song-wave">
          <${Progress}
            value=${state === "sending" ? share : null}
            text=${texts.songs.uploadStates[state]}
            label=${texts.songs.uploadOf(file.name)}
          />
        </div>`
    }
    <div class="song-tools">
      ${
        hasFailed &&
        html`<${Button} small icon="retry" onClick=${() => retryUpload(upload)}>
        <span class="wide-only">${texts.errors.retry}</span><span class="hidden-text">${file.name}</span>
      <//>`
      }
      <${Button} small icon="close" onClick=${() => removeUpload(upload)}>
        <span class="wide-only">${hasFailed ? texts.songs.remove : texts.songs.cancel}</span>
        <span class="hidden-text">${file.name}</span>
      <//>
    </div>
  </li>`;
}

/** @param {{error: unknown}} props */
function Refusal({ error }) {
  const { what, todo } = wordsOf(error);
  return html`<p class="song-wave" role="alert"><span><strong>${what}</strong> ${todo}</span></p>`;
}
