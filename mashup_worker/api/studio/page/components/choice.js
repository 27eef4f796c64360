/** Button that adds a song or stem to the next mashup, or removes it. */

import { html } from "../html.js";
import { choose, isChosen, unchoose } from "../state.js";
import { texts } from "../texts.js";
import { Button } from "./button.js";

/** @param {{item: import("../types.js").Chosen, name?: string, iconOnly?: boolean}} props */
export function ChoiceButton({ item, name = item.title, iconOnly = false }) {
  const isAdded = isChosen(item.id);
  const label = isAdded ? texts.choice.removeTitle(name) : texts.choice.addTitle(name);
  return html`<${Button}
    small
    icon=${isAdded ? "check" : "plus"}
    label=${iconOnly ? label : undefined}
    data-on=${isAdded ? "" : undefined}
    onClick=${() => (isAdded ? unchoose(item.id) : choose(item))}
    >${
      iconOnly
        ? null
        : html`<span class="wide-only">${isAdded ? texts.choice.added : texts.choice.add}</span
          ><span class="hidden-text">${name}</span>`
    }<//
  >`;
}
