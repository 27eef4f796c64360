/** Arrangement of a mashup as text. */

import { html } from "../html.js";
import { texts } from "../texts.js";
import { rowsOf, sectionsOf, transitionsOf } from "./arrangement.js";

/** @param {{plan: import("./types.js").Plan}} props */
export function ArrangementText({ plan }) {
  const words = texts.arrangement;
  const changes = transitionsOf(plan);
  return html`<details class="fold">
    <summary>${words.asText}</summary>
    <div class="stack fold-body">
      <section>
        <h3>${words.sectionRow}</h3>
        <ol class="plain-list">
          ${sectionsOf(plan).map(({ name, bars, why }) => html`<li>${name}, ${bars}${why}</li>`)}
        </ol>
      </section>
      ${
        changes.length > 0 &&
        html`<section>
        <h3>${words.transitionRow}</h3>
        <ol class="plain-list">
          ${changes.map(({ words: text }) => html`<li>${text}</li>`)}
        </ol>
      </section>`
      }
      ${rowsOf(plan).map(
        ({ name, song, kind, clips }) => html`<section key=${name}>
          <h3>${texts.stems.name(texts.kinds[kind] ?? kind, song)}</h3>
          <ol class="plain-list">
            ${clips.map(({ words: text }) => html`<li>${text}</li>`)}
          </ol>
        </section>`,
      )}
    </div>
  </details>`;
}
