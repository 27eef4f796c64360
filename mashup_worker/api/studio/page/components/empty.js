/** Place without content: what belongs there, and how to get it. */

import { html } from "../html.js";
import { Icon } from "./icons.js";

/** @param {{icon?: string, title: string, text?: string, children?: any}} props */
export function EmptyState({ icon, title, text, children }) {
  return html`<div class="empty">
    ${icon && html`<${Icon} name=${icon} size=${32} />`}
    <h2>${title}</h2>
    ${text && html`<p>${text}</p>`} ${children}
  </div>`;
}
