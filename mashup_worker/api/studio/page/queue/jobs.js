/** Jobs of all users: filters, and pages that are refreshed in place. */

import { signal } from "@preact/signals";

import { get, post } from "../api.js";
import { merged } from "./merging.js";

/** @import {JobList} from "./merging.js" */
/** @import {FleetJob} from "./types.js" */

const PAGE_SIZE = 25;
const MAX_REFRESHED = 100;

/** @typedef {{status: string, job_type: string}} JobFilters Empty texts do not filter. */

/** Jobs that match the filters; null until they are loaded. */
export const jobs = signal(/** @type {JobList | null} */ (null));

/**
 * Load the newest jobs. Jobs that are shown keep their places; new ones are added above them, or
 * kept back while the user works with the list.
 * @param {JobFilters} filters
 * @param {AbortSignal} abort
 * @param {boolean} isHeld
 */
export async function refreshJobs(filters, abort, isHeld) {
  const before = jobs.value;
  const limit = Math.min(MAX_REFRESHED, Math.max(PAGE_SIZE, before?.items.length ?? 0));
  const page = await get("/api/fleet/jobs", { query: { ...filters, limit }, signal: abort });
  if (jobs.value !== before) return; // the user has loaded more meanwhile
  jobs.value = merged(before, page, isHeld);
}

/** Show the jobs that were kept back. */
export function showFresh() {
  if (!jobs.value) return;
  const { items, fresh, next } = jobs.value;
  jobs.value = { items: [...fresh, ...items], next, fresh: [] };
}

/** @param {JobFilters} filters */
export async function loadMoreJobs(filters) {
  const before = jobs.value;
  if (!before?.next) return;
  const query = { ...filters, limit: PAGE_SIZE, cursor: before.next };
  const { items, next } = await get("/api/fleet/jobs", { query });
  const now = jobs.value; // it was refreshed meanwhile
  if (now?.next !== before.next) return; // the filters were changed
  const known = new Set(now.items.map(({ id }) => id));
  const added = items.filter((/** @type {FleetJob} */ job) => !known.has(job.id));
  jobs.value = { ...now, items: [...now.items, ...added], next };
}

/** @param {string} id */
export async function cancelJob(id) {
  await post(`/api/fleet/jobs/${id}/cancel`);
}

/**
 * Repeat a job, once even if two operators ask for it.
 * @param {string} id
 */
export async function retryJob(id) {
  await post(`/api/fleet/jobs/${id}/retry`, undefined, { headers: { "Idempotency-Key": `retry-${id}` } });
}
