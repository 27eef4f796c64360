/** Login: trades a link's one-time code for a session, and explains how to get a link. */

import { useState } from "preact/hooks";

import { ApiError, logIn } from "../api.js";
import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { TextField } from "../components/field.js";
import { Page } from "../components/page.js";
import { html } from "../html.js";
import { sessionEnded } from "../state.js";
import { texts } from "../texts.js";

/**
 * @param {object} props
 * @param {unknown} props.refusal Error of the login link in the address; null for none.
 */
export function Login({ refusal }) {
  return html`<${Page} title=${texts.login.title} width="narrow">
    <div class="stack">
      ${sessionEnded.value && html`<p class="note note-warn" role="status">${texts.login.ended}</p>`}
      ${refusal && html`<${ErrorNote} words=${refusalWords(refusal)} />`}
      <p>${texts.login.intro}</p>
      <section class="card stack">
        <h2>${texts.login.local}</h2>
        <p>${texts.login.localText}</p>
        <${Command} text=${texts.login.command} />
        <p class="muted small">${texts.login.folder}</p>
      </section>
      <section class="card stack">
        <h2>${texts.login.remote}</h2>
        <p>${texts.login.remoteText}</p>
        <${PasteForm} />
      </section>
    </div>
  <//>`;
}

/** @param {{text: string}} props */
function Command({ text }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return html`<div class="command">
    <code>${text}</code>
    ${
      navigator.clipboard &&
      html`<${Button} small onClick=${copy}>${isCopied ? texts.login.copied : texts.login.copy}<//>`
    }
  </div>`;
}

function PasteForm() {
  const [text, setText] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {string | null} */ (null));
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    const credentials = credentialsIn(text);
    if (!credentials) return setError(texts.login.empty);
    setBusy(true);
    setError(null);
    try {
      await logIn(credentials);
    } catch (refusal) {
      const { what, todo } = refusalWords(refusal);
      setError(`${what} ${todo}`);
      setBusy(false);
    }
  };
  return html`<form class="stack" onSubmit=${submit}>
    <${TextField}
      label=${texts.login.paste}
      hint=${texts.login.pasteHint}
      error=${error}
      value=${text}
      onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
      autocomplete="off"
      spellcheck=${false}
    />
    <div><${Button} type="submit" kind="primary" busy=${isBusy}>${texts.login.submit}<//></div>
  </form>`;
}

/**
 * Return the credentials in a login link, or in a bare code.
 * @param {string} text
 */
export function credentialsIn(text) {
  const [, fragment] = text.trim().split("#");
  const fields = new URLSearchParams(fragment ?? "");
  const code = fields.get("login") ?? (fragment === undefined ? text.trim() : "");
  const accessToken = fields.get("access_token") ?? undefined;
  return code || accessToken ? { code: code || undefined, accessToken } : null;
}

/** @param {unknown} error */
function refusalWords(error) {
  const isRefused = error instanceof ApiError && [401, 403, 404, 422].includes(error.status);
  if (isRefused) return { what: texts.login.refused, todo: texts.login.refusedTodo };
  return error instanceof ApiError ? error.words : texts.errors.words({ code: "failed" });
}
