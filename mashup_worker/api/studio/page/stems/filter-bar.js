/** Filters above the list of stems. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Button } from "../components/button.js";
import { Choices, Select, TextField } from "../components/field.js";
import { KeySelect } from "../components/key-select.js";
import { html } from "../html.js";
import { chosen, session } from "../state.js";
import { texts } from "../texts.js";
import { countFilters, isRangeEmpty, NO_FILTERS } from "./filters.js";

/** @import {Filters} from "./filters.js" */

const KINDS = ["vocals", "no_vocals", "drums", "bass", "other", "guitar", "piano"];
const TYPING_MS = 350;

/** @param {{filters: Filters, onChange: (filters: Filters) => void}} props */
export function FilterBar({ filters, onChange }) {
  /** @param {Partial<Filters>} some */
  const set = (some) => onChange({ ...filters, ...some });
  const words = texts.stems.filters;
  const kinds = KINDS.map((kind) => ({ value: kind, label: texts.kinds[kind] }));
  const owners = session.value?.user_id ? ["", "mine", "public"] : ["", "public"]; // operators own none
  const [isOpen, setOpen] = useState(false);
  const count = countFilters({ ...filters, text: "" });
  return html`<search class=${`filters ${isOpen ? "is-open" : ""}`} aria-label=${words.label}>
    <${TypedField}
      type="search"
      label=${words.text}
      maxlength="200"
      value=${filters.text}
      onValue=${(/** @type {string} */ text) => set({ text })}
    />
    <${Button} class="filters-toggle" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
      ${words.toggle(count)}
    <//>
    <${Select}
      label=${words.kind}
      value=${filters.kind}
      onChange=${(/** @type {string} */ kind) => set({ kind })}
      options=${[{ value: "", label: words.anyKind }, ...kinds]}
    />
    <div class="filter-key">
      <${KeySelect}
        label=${words.key}
        any=${words.anyKey}
        by="camelot"
        value=${filters.camelot}
        onChange=${(/** @type {string} */ camelot) => set({ camelot, neighbors: camelot ? filters.neighbors : "" })}
      />
      <label class="check small">
        <input
          type="checkbox"
          checked=${filters.neighbors === "true"}
          disabled=${!filters.camelot}
          onChange=${(/** @type {any} */ event) => set({ neighbors: event.currentTarget.checked ? "true" : "" })}
        />${words.neighbors}
      </label>
    </div>
    <${TempoFilter} filters=${filters} set=${set} />
    <${Select}
      label=${words.fits}
      value=${filters.compatible_with}
      onChange=${(/** @type {string} */ id) => set({ compatible_with: id })}
      options=${references(filters.compatible_with)}
    />
    <div class="filter-owner">
      <${Choices}
        label=${words.owner}
        value=${filters.owner}
        onChange=${(/** @type {string} */ owner) => set({ owner })}
        options=${owners.map((value) => ({ value, label: words.owners[value] }))}
      />
      <${Button} kind="quiet" disabled=${!count && !filters.text} onClick=${() => onChange(NO_FILTERS)}>
        ${words.clear}
      <//>
    </div>
  </search>`;
}

/** @param {{filters: Filters, set: (some: Partial<Filters>) => void}} props */
function TempoFilter({ filters, set }) {
  const words = texts.stems.filters;
  const error = isRangeEmpty(filters) ? words.tempoOrder : undefined;
  /** @type {("tempo_min" | "tempo_max")[]} */
  const names = ["tempo_min", "tempo_max"];
  return html`<fieldset class="field">
    <legend>${words.tempo}</legend>
    <div class="filter-tempo">
      ${names.map(
        (name) => html`<${TypedField}
          key=${name}
          type="number"
          inputmode="decimal"
          min="0"
          max="1000"
          aria-label=${words[name]}
          placeholder=${words.placeholders[name]}
          aria-invalid=${error ? "true" : undefined}
          value=${filters[name]}
          onValue=${(/** @type {string} */ value) => set({ [name]: value })}
        />`,
      )}
    </div>
    ${error && html`<span class="field-error" role="alert">${error}</span>`}
  </fieldset>`;
}

/**
 * Options of what stems must fit: nothing, or one of the chosen songs and stems.
 * @param {string} current Id that is set, which may be chosen no more.
 */
function references(current) {
  const words = texts.stems.filters;
  const items = chosen.value.map(({ id, type, kind, title }) => ({
    value: id,
    label: type === "song" ? title : texts.stems.name(texts.kinds[kind] ?? kind, title),
  }));
  const isListed = !current || items.some(({ value }) => value === current);
  const other = isListed ? [] : [{ value: current, label: words.otherReference }];
  return [{ value: "", label: items.length ? words.anyFit : words.noReference }, ...items, ...other];
}

/**
 * Field whose value is reported once the user pauses.
 * @param {{value: string, label?: string, onValue: (value: string) => void} & Record<string, any>} props
 */
function TypedField({ value, label, onValue, ...rest }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  const report = useRef(onValue);
  report.current = onValue;
  useEffect(() => {
    clearTimeout(timer.current);
    setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  /** @param {Event & {currentTarget: HTMLInputElement}} event */
  const onInput = ({ currentTarget: input }) => {
    setText(input.value);
    clearTimeout(timer.current);
    if (!input.validity.valid) return;
    timer.current = window.setTimeout(() => report.current(input.value), TYPING_MS);
  };
  if (label) return html`<${TextField} label=${label} value=${text} onInput=${onInput} ...${rest} />`;
  return html`<input class="input" value=${text} onInput=${onInput} ...${rest} />`;
}
