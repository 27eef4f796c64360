/** Mashups that the user's tier still includes. */

import { useEffect, useState } from "preact/hooks";

import { get } from "../api.js";
import { html } from "../html.js";
import { texts } from "../texts.js";

/** @typedef {{tier: string, limit: {job_type: string, period: string, max_jobs: number | null, left: number | null, until: string, next_tier: string | null} | null}} AllowanceValue */

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
 * Text at the button: what is missing, what is left, or what would lift the limit.
 * @param {{allowance: AllowanceValue | null, isEmpty: boolean, hasError: boolean}} props
 */
export function Allowance({ allowance, isEmpty, hasError }) {
  const limit = allowance?.limit;
  if (limit && limit.left === 0 && !hasError) {
    const quota = { ...limit, tier: allowance?.tier ?? "", limit: limit.max_jobs ?? 0 };
    const { what, todo } = texts.errors.words({ code: "quota_exceeded", quota });
    return html`<p class="note note-warn" role="status"><span><strong>${what}</strong> ${todo}</span></p>`;
  }
  const left = limit && limit.max_jobs !== null && limit.left ? texts.mashup.left(limit.left, limit.max_jobs, limit.period) : "";
  return html`<p class="muted small generate-hint">${isEmpty ? texts.mashup.chooseFirst : left}</p>`;
}
