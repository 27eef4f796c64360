/** Errors in plain words, with what to do. */

import { useSignalEffect } from "@preact/signals";

import { ApiError, wordsOf } from "../api.js";
import { html } from "../html.js";
import { online } from "../state.js";
import { texts } from "../texts.js";
import { Button } from "./button.js";

/**
 * Note of an error. What failed without a connection is tried again when the server answers.
 * @param {object} props
 * @param {unknown} [props.error] What was thrown.
 * @param {{what: string, todo: string}} [props.words] Words in place of those of an error.
 * @param {() => void} [props.onRetry]
 * @param {any} [props.children] Further buttons.
 */
export function ErrorNote({ error, words = wordsOf(error), onRetry, children }) {
  const isOffline = error instanceof ApiError && error.code === "offline";
  useSignalEffect(() => {
    if (online.value && isOffline) onRetry?.();
  });
  return html`<div class="note note-bad" role="alert">
    <div><strong>${words.what}</strong> ${words.todo}</div>
    ${onRetry && html`<${Button} small icon="retry" onClick=${onRetry}>${texts.errors.retry}<//>`}
    ${children}
  </div>`;
}
