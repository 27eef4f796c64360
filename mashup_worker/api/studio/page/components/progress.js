/** Progress of an upload or a job. */

import { html } from "../html.js";
import { percent } from "../format.js";

/**
 * @param {object} props
 * @param {number | null} props.value Share from 0 to 1; null while it is unknown.
 * @param {string} props.text What happens now.
 * @param {string} props.label Name for screen readers.
 */
export function Progress({ value, text, label }) {
  return html`<div class="progress">
    <div class="progress-text">
      <span>${text}</span>
      ${value !== null && html`<span>${percent(value)}</span>`}
    </div>
    <progress aria-label=${label} max="1" value=${value ?? undefined}></progress>
  </div>`;
}
