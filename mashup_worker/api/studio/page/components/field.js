/** Fields of forms. */

import { useId } from "preact/hooks";

import { html } from "../html.js";

/**
 * Field with its label, hint and error.
 * @param {object} props
 * @param {string} props.label
 * @param {string} [props.hint]
 * @param {string | null} [props.error]
 * @param {(props: Record<string, any>) => any} props.children Function that returns the control
 *     with the given attributes.
 */
export function Field({ label, hint, error, children }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const control = {
    id,
    "aria-describedby": described || undefined,
    "aria-invalid": error ? "true" : undefined,
  };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children(control)}
    ${hint && html`<span class="field-hint" id=${`${id}-hint`}>${hint}</span>`}
    ${error && html`<span class="field-error" id=${`${id}-error`}>${error}</span>`}
  </div>`;
}

/** @param {{label: string, hint?: string, error?: string | null} & Record<string, any>} props */
export function TextField({ label, hint, error, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(/** @type {any} */ control) => html`<input class="input" ...${control} ...${rest} />`}
  <//>`;
}

/**
 * @param {{label: string, hint?: string, value: string, onChange: (value: string) => void,
 *     options: {value: string, label: string}[]} & Record<string, any>} props
 */
export function Select({ label, hint, value, onChange, options, ...rest }) {
  return html`<${Field} label=${label} hint=${hint}>
    ${(/** @type {any} */ control) => html`<select
      class="input"
      ...${control}
      ...${rest}
      value=${value}
      onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}
    >
      ${options.map((one) => html`<option key=${one.value} value=${one.value}>${one.label}</option>`)}
    </select>`}
  <//>`;
}

/**
 * One choice among few, as radio buttons in a row.
 * @param {{label: string, value: string, onChange: (value: string) => void,
 *     options: {value: string, label: string}[], hideLabel?: boolean}} props
 */
export function Choices({ label, value, onChange, options, hideLabel }) {
  const name = useId();
  return html`<fieldset class="field">
    <legend class=${hideLabel ? "hidden-text" : ""}>${label}</legend>
    <div class="choices">
      ${options.map(
        (one) => html`<label key=${one.value}>
          <input
            type="radio"
            name=${name}
            value=${one.value}
            checked=${one.value === value}
            onChange=${() => onChange(one.value)}
          />${one.label}
        </label>`,
      )}
    </div>
  </fieldset>`;
}

/**
 * Slider with its value as text.
 * @param {{label: string, hint?: string, value: number, text: string,
 *     onInput: (value: number) => void} & Record<string, any>} props
 */
export function Range({ label, hint, value, text, onInput, ...rest }) {
  return html`<${Field} label=${`${label}: ${text}`} hint=${hint}>
    ${(/** @type {any} */ control) => html`<input
      type="range"
      ...${control}
      ...${rest}
      value=${value}
      aria-valuetext=${text}
      onInput=${(/** @type {any} */ event) => onInput(event.currentTarget.valueAsNumber)}
    />`}
  <//>`;
}
