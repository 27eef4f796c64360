/** Dialog that lists the keys of the song view. */

import { Dialog } from "../components/dialog.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { keysAreOn, turnKeys } from "./keys.js";

/** @param {{onClose: () => void}} props */
export function KeysDialog({ onClose }) {
  return html`<${Dialog} title=${texts.song.keys} onClose=${onClose}>
    <div class="stack">
      <dl class="keys">
        ${texts.keys.list.map(
          ([keys, action]) => html`<div key=${action}>
            <dt>${keys.map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dt>
            <dd>${action}</dd>
          </div>`,
        )}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked=${keysAreOn.value}
          onChange=${(/** @type {any} */ event) => turnKeys(event.currentTarget.checked)}
        />
        ${texts.keys.on}
      </label>
    </div>
  <//>`;
}
