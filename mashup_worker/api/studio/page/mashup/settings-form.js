/** Settings of the next mashup. */

import { Button } from "../components/button.js";
import { Choices, Range, Select, TextField } from "../components/field.js";
import { KeySelect } from "../components/key-select.js";
import { percent } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { faultsOf, FORMATS, LIMITS, TRANSITIONS, VIBES } from "./input.js";
import { change, settings } from "./settings.js";

/** @param {{formRef: import("preact").RefObject<HTMLFormElement>, onSubmit: (event: Event) => void}} props */
export function SettingsForm({ formRef, onSubmit }) {
  const faults = faultsOf(settings.value);
  return html`<form class="card stack" ref=${formRef} onSubmit=${onSubmit} noValidate aria-labelledby="settings">
    <h2 id="settings">${texts.mashup.settings}</h2>
    <${Vibes} />
    <${Range}
      label=${texts.mashup.intensity}
      min="0"
      max="1"
      step="0.05"
      value=${settings.value.intensity}
      text=${percent(settings.value.intensity)}
      onInput=${(/** @type {number} */ intensity) => change({ intensity })}
    />
    <${MusicFields} faults=${faults} />
    <${MoreFields} faults=${faults} />
    <input type="submit" hidden />
  </form>`;
}

function Vibes() {
  const { vibe } = settings.value;
  return html`<div class="vibes">
    <${Choices}
      label=${texts.mashup.vibe}
      value=${vibe}
      onChange=${(/** @type {string} */ value) => change({ vibe: value })}
      options=${VIBES.map((value) => ({ value, label: texts.vibes[value].name }))}
    />
    <p class="field-hint" aria-live="polite">${texts.vibes[vibe]?.text}</p>
  </div>`;
}

/** @param {{faults: string[]}} props */
function MusicFields({ faults }) {
  const words = texts.mashup.fields;
  const transitions = TRANSITIONS.map((value) => ({ value, label: texts.transitions[value] }));
  return html`<div class="field-grid">
    <${NumberField} name="tempo_bpm" faults=${faults} placeholder=${words.automatic} />
    <${KeySelect}
      label=${words.key}
      any=${words.automatic}
      by="key"
      value=${settings.value.key}
      onChange=${(/** @type {string} */ key) => change({ key })}
    />
    <${NumberField} name="length_s" faults=${faults} placeholder=${words.automatic} />
    <${Select}
      label=${words.transition}
      value=${settings.value.transition}
      onChange=${(/** @type {string} */ transition) => change({ transition })}
      options=${[{ value: "", label: words.byVibe }, ...transitions]}
    />
  </div>`;
}

/** @param {{faults: string[]}} props */
function MoreFields({ faults }) {
  const words = texts.mashup.fields;
  const { format, seed } = settings.value;
  const newSeed = () => change({ seed: String(Math.floor(Math.random() * 1e6)) });
  return html`<details class="more-settings">
    <summary>${texts.mashup.more}</summary>
    <div class="stack">
      <div class="field-grid">
        <${NumberField} name="loudness_lufs" faults=${faults} placeholder=${words.byVibe} step="0.1" />
        <${Select}
          label=${words.format}
          value=${format}
          onChange=${(/** @type {string} */ value) => change({ format: value })}
          options=${FORMATS.map((value) => ({ value, label: texts.formats[value] }))}
        />
      </div>
      <div class="seed">
        <${NumberField} name="seed" faults=${faults} step="1" hint=${words.seedHint} />
        <${Button} icon="retry" label=${words.newSeed} aria-describedby="seed-now" onClick=${newSeed} />
        <span id="seed-now" class="hidden-text">${seed}</span>
      </div>
    </div>
  </details>`;
}

/** @param {{name: "tempo_bpm" | "length_s" | "loudness_lufs" | "seed", faults: string[]} & Record<string, any>} props */
function NumberField({ name, faults, ...rest }) {
  const [low, high] = LIMITS[name];
  return html`<${TextField}
    type="number"
    inputmode=${name === "loudness_lufs" ? "text" : "decimal"}
    name=${name}
    label=${texts.mashup.fields[name]}
    min=${low}
    max=${high}
    step="any"
    value=${settings.value[name]}
    error=${faults.includes(name) ? texts.mashup.fields.limits(low, high, name === "seed") : null}
    onInput=${(/** @type {any} */ event) => change({ [name]: event.currentTarget.value })}
    ...${rest}
  />`;
}
