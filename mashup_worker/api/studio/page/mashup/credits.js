/** Shares of the creators of a mashup. */

import { useEffect, useState } from "preact/hooks";

import { ErrorNote } from "../components/error.js";
import { html } from "../html.js";
import { session } from "../state.js";
import { texts } from "../texts.js";
import { loadCredits } from "./saved.js";

/** @import {Credit} from "./saved.js" */

/** @param {{mashupId: string}} props */
export function Credits({ mashupId }) {
  const [credits, setCredits] = useState(/** @type {Credit[] | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const load = () => {
    setError(null);
    loadCredits(mashupId).then(setCredits, setError);
  };
  useEffect(load, [mashupId]);
  if (error) return html`<${ErrorNote} error=${error} onRetry=${load} />`;
  return html`<div class="credits" aria-busy=${credits ? undefined : "true"}>
    <h3>${texts.credits.title}</h3>
    <ul>
      ${(credits ?? []).map(
        ({ user_id, stems, share }) => html`<li key=${user_id}>
          <span class="grow">${nameOf(user_id)}</span>
          <span class="muted">${texts.credits.stems(stems)}</span>
          <strong>${texts.credits.share(share / 100)}</strong>
        </li>`,
      )}
    </ul>
  </div>`;
}

/** @param {string | null} userId */
function nameOf(userId) {
  if (userId === null) return texts.credits.unknown;
  return userId === session.value?.user_id ? texts.credits.you : texts.credits.creator(userId.slice(0, 8));
}
