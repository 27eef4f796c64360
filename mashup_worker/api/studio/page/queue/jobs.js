/** Jobs of all users: filters, and pages that are refreshed in place. */

import { signal } from "@preact/signals";

import { get, post } from "../api.js";

/** @import {FleetJob} from "./types.js" */

const PAGE_SIZE = 25;
const MAX_REFRESHED = 100;

/** @typedef {{status: string, job_type: string}} JobFilters Empty texts do not filter. */

/**
 * @typedef {object} JobList
 * @property {FleetJob[]} items Newest first.
 * @property {string | null} next Cursor of the next page; null after the last.
 * @property {FleetJob[]} fresh Newer jobs that are not shown yet.
 */

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
  const shown = new Set(before?.items.map(({ id }) => id));
  const hasGap = page.next && !page.items.some((/** @type {FleetJob} */ job) => shown.has(job.id));
  if (!before || hasGap) {
    jobs.value = { ...page, fresh: [] };
    return;
  }
  /** @type {Map<string, FleetJob>} */
  const loaded = new Map(page.items.map((/** @type {FleetJob} */ job) => [job.id, job]));
  const newest = before.items[0]?.created_at ?? "";
  const fresh = page.items.filter(
    (/** @type {FleetJob} */ job) => !shown.has(job.id) && job.created_at >= newest,
  );
  const items = before.items
    .filter((job) => loaded.has(job.id) || !isCovered(job, page))
    .map((job) => loaded.get(job.id) ?? job);
  const next = before.items.length <= PAGE_SIZE && !fresh.length ? page.next : before.next;
  jobs.value = isHeld ? { items, next, fresh } : { items: [...fresh, ...items], next, fresh: [] };
}

/**
 * Return whether a page would contain a job if it still matched the filters.
 * @param {FleetJob} job @param {{items: FleetJob[], next: string | null}} page
 */
function isCovered(job, { items, next }) {
  const oldest = items.at(-1)?.created_at;
  return next === null || (oldest !== undefined && job.created_at > oldest);
}

/** Show the jobs that were kept back. */
export function showFresh() {
  if (jobs.value)
    jobs.value = { ...jobs.value, items: [...jobs.value.fresh, ...jobs.value.items], fresh: [] };
}

/** @param {JobFilters} filters */
export async function loadMoreJobs(filters) {
  const before = jobs.value;
  if (!before?.next) return;
  const query = { ...filters, limit: PAGE_SIZE, cursor: before.next };
  const { items, next } = await get("/api/fleet/jobs", { query });
  const now = jobs.value ?? before; // it was refreshed meanwhile
  const known = new Set(now.items.map(({ id }) => id));
  const added = items.filter((/** @type {FleetJob} */ job) => !known.has(job.id));
  jobs.value = { ...now, items: [...now.items, ...added], next };
}

/** @param {string} id */
export async function cancelJob(id) {
  await post(`/api/fleet/jobs/${id}/cancel`);
}

/** @param {string} id */
export async function retryJob(id) {
  await post(`/api/fleet/jobs/${id}/retry`);
}
