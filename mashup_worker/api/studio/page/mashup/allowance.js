/** Mashups that the user's tier still includes. */

import { useEffect, useState } from "preact/hooks";

import { get } from "../api.js";
import { html } from "../html.js";
import { texts } from "../texts.js";

/**
 * @typedef {object} Limit Of the jobs of a type in a period; null where a value has no limit.
 * @property {string} job_type
 * @property {string} period
 * @property {number | null} max_jobs
 * @property {number | null} left
 * @property {string} until First day of the next period.
 * @property {string | null} next_tier
 *
 * @typedef {{tier: string, limit: Limit | null}} AllowanceValue
 */

/** Return the limit of mashups, and a function that loads it again. */
export function useAllowance() {
  const [value, setValue] = useState(/** @type {AllowanceValue | null} */ (null));
  const reload = () =>
    get("/api/billing/subscription").then(
      ({ tier, limits }) => {
        const limit = limits.find((/** @type {any} */ one) => one.job_type === "mashup") ?? null;
        setValue({ tier, limit });
      },
      () => {}, // the refusal of a mashup reports the limit too
    );
  useEffect(() => void reload(), []);
  return { value, reload };
}

/**
 * Text at the button: a missing choice, the mashups left, or the remedy for a reached limit.
 * @param {{allowance: AllowanceValue | null, isEmpty: boolean, hasError: boolean}} props
 */
export function Allowance({ allowance, isEmpty, hasError }) {
  const limit = allowance?.limit;
  if (hasError) return null; // it says what lifts the limit
  if (limit && limit.left === 0) {
    const quota = { ...limit, tier: allowance?.tier ?? "", limit: limit.max_jobs ?? 0 };
    const { what, todo } = texts.errors.words({ code: "quota_exceeded", quota });
    return html`<p class="note note-warn small" role="status"><span><strong>${what}</strong> ${todo}</span></p>`;
  }
  const left =
    limit && limit.max_jobs !== null && limit.left
      ? texts.mashup.left(limit.left, limit.max_jobs, limit.period)
      : "";
  return html`<p class="muted small generate-hint">${isEmpty ? texts.mashup.chooseFirst : left}</p>`;
}
