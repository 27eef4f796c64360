/** Chosen songs, settings, and the button that makes the mashup. */

import { useRef, useState } from "preact/hooks";

import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { Allowance, useAllowance } from "./allowance.js";
import { ChosenSongs } from "./chosen-list.js";
import { faultsOf, inputOf } from "./input.js";
import { generate, reveal } from "./results.js";
import { groups, settings } from "./settings.js";
import { SettingsForm } from "./settings-form.js";

export function Setup() {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const allowance = useAllowance();
  const isEmpty = !groups.value.length;

  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy || isEmpty) return;
    const [fault] = faultsOf(settings.value);
    if (fault) return openFault(form.current, fault);
    setBusy(true);
    setError(null);
    try {
      await generate(inputOf(groups.value, settings.value));
      reveal();
    } catch (refusal) {
      setError(refusal);
    }
    setBusy(false);
    allowance.reload();
  };
  return html`<div class="mashup-setup stack">
    <${ChosenSongs} />
    <${SettingsForm} formRef=${form} onSubmit=${submit} />
    <div class="generate card">
      <${Button}
        kind="primary"
        icon="mashup"
        busy=${isBusy}
        once
        aria-disabled=${isEmpty ? "true" : undefined}
        onClick=${submit}
      >
        ${texts.mashup.generate}
      <//>
      <${Allowance} allowance=${allowance.value} isEmpty=${isEmpty} hasError=${Boolean(error)} />
      ${error && html`<${ErrorNote} error=${error} />`}
    </div>
  </div>`;
}

/** @param {HTMLFormElement | null} form @param {string} name */
function openFault(form, name) {
  const field = form?.elements.namedItem(name);
  if (!(field instanceof HTMLElement)) return;
  const details = field.closest("details");
  if (details) details.open = true;
  field.focus();
}
