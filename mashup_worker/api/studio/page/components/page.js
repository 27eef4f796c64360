/** Frame of a view: title of the document, heading and focus. */

import { useEffect, useRef } from "preact/hooks";

import { html } from "../html.js";
import { hasNavigated } from "../router.js";
import { texts } from "../texts.js";

/**
 * @param {object} props
 * @param {string} props.title Text of the heading and of the document's title.
 * @param {any} [props.lead] Content before the heading, such as a link back.
 * @param {any} [props.tools] Content beside the heading.
 * @param {string} [props.intro] Sentence below the heading.
 * @param {"wide" | "narrow"} [props.width]
 * @param {boolean} [props.busy]
 * @param {any} props.children
 */
export function Page({ title, lead, tools, intro, width, busy, children }) {
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  useEffect(() => {
    document.title = texts.documentTitle(title);
  }, [title]);
  useEffect(() => {
    if (hasNavigated) heading.current?.focus({ preventScroll: true });
  }, []);
  return html`<main id="content" class=${`page ${width ? `page-${width}` : ""}`} aria-busy=${busy ? "true" : undefined}>
    <div class="page-head">
      <div class="grow">
        ${lead}
        <h1 ref=${heading} tabindex="-1">${title}</h1>
        ${intro && html`<p>${intro}</p>`}
      </div>
      ${tools && html`<div class="row">${tools}</div>`}
    </div>
    ${children}
  </main>`;
}
