/** List of the 24 keys. */

import { keyName } from "../format.js";
import { html } from "../html.js";
import { MUSIC_KEYS } from "../music-keys.js";
import { Select } from "./field.js";

/**
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.any Text of the empty option.
 * @param {string} props.value Key, or its position on the Camelot wheel; empty for any.
 * @param {"key" | "camelot"} props.by Which of both the value is.
 * @param {(value: string) => void} props.onChange
 */
export function KeySelect({ label, any, value, by, onChange }) {
  const keys = MUSIC_KEYS.map((one) => ({ value: one[by], label: `${one.camelot} · ${keyName(one.key)}` }));
  const options = [{ value: "", label: any }, ...keys];
  return html`<${Select} label=${label} value=${value} onChange=${onChange} options=${options} />`;
}
