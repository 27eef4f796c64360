/** Form that saves a result as a mashup, and the saved mashup with its credits. */

import { useState } from "preact/hooks";

import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { TextField } from "../components/field.js";
import { html } from "../html.js";
import { notify } from "../state.js";
import { texts } from "../texts.js";
import { Credits } from "./credits.js";
import { save, savedAs } from "./saved.js";

/** @import {SavedMashup} from "./saved.js" */

/** @param {{jobId: string, title: string}} props */
export function SavePanel({ jobId, title }) {
  const mashup = savedAs(jobId);
  return html`<section class="stack" aria-labelledby="save">
    <h2 id="save">${mashup ? texts.save.savedTitle : texts.save.title}</h2>
    ${mashup ? html`<${Saved} mashup=${mashup} />` : html`<${SaveForm} jobId=${jobId} title=${title} />`}
  </section>`;
}

/** @param {{mashup: SavedMashup}} props */
function Saved({ mashup }) {
  return html`
    <p class="row">
      <strong>${mashup.title}</strong>
      <span class="chip">${mashup.is_public ? texts.save.public : texts.save.private}</span>
    </p>
    <${Credits} mashupId=${mashup.id} />
  `;
}

/** @param {{jobId: string, title: string}} props */
function SaveForm({ jobId, title }) {
  const [name, setName] = useState(title);
  const [isPublic, setPublic] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const isEmpty = !name.trim();
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy || isEmpty) return;
    setBusy(true);
    setError(null);
    try {
      const mashup = await save(jobId, name, isPublic);
      notify(texts.save.notice(mashup.title ?? ""));
    } catch (refusal) {
      setError(refusal);
      setBusy(false);
    }
  };
  return html`<form class="save-form" onSubmit=${submit}>
    <${TextField}
      label=${texts.save.name}
      value=${name}
      maxlength="200"
      error=${isEmpty ? texts.save.empty : null}
      onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)}
    />
    <label class="check">
      <input
        type="checkbox"
        checked=${isPublic}
        onChange=${(/** @type {any} */ event) => setPublic(event.currentTarget.checked)}
      />${texts.save.makePublic}
    </label>
    <div><${Button} type="submit" kind="primary" busy=${isBusy}>${texts.save.submit}<//></div>
    ${error && html`<${ErrorNote} error=${error} />`}
  </form>`;
}
