/** Refreshed pages of jobs, which change the list without moving its rows. */

/** @import {FleetJob} from "./types.js" */

/** @typedef {{items: FleetJob[], next: string | null}} JobPage Newest first; `next` is a cursor. */

/** @typedef {JobPage & {fresh: FleetJob[]}} JobList `fresh` are newer jobs that are not shown yet. */

/**
 * Return a list with the states of its newest jobs as a page has them.
 *
 * Jobs that are shown keep their order. Those that match the filters no more are removed, and new
 * ones are added above.
 * @param {JobList | null} before
 * @param {JobPage} page The newest jobs.
 * @param {boolean} isHeld Whether new jobs are kept back, since the user works with the list.
 * @returns {JobList}
 */
export function merged(before, page, isHeld) {
  const shown = new Set(before?.items.map(({ id }) => id));
  const hasGap = page.next && !page.items.some((job) => shown.has(job.id));
  if (!before || hasGap) return { ...page, fresh: [] };
  const loaded = new Map(page.items.map((job) => [job.id, job]));
  const newest = before.items[0]?.created_at ?? "";
  const fresh = page.items.filter((job) => !shown.has(job.id) && job.created_at >= newest);
  const items = before.items
    .filter((job) => loaded.has(job.id) || !isCovered(job, page))
    .map((job) => loaded.get(job.id) ?? job);
  if (isHeld) return { items, next: before.next, fresh };
  return { items: [...fresh, ...items], next: before.next, fresh: [] };
}

/**
 * Return whether a page would contain a job if it still matched the filters.
 * @param {FleetJob} job @param {JobPage} page
 */
function isCovered(job, { items, next }) {
  const oldest = items.at(-1)?.created_at;
  return next === null || (oldest !== undefined && job.created_at > oldest);
}
