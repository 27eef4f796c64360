/**
 * Mashups that were made in this tab, or opened by their address, in a new tab the user's newest: their
 * jobs and progress.
 */

import { batch, effect, signal } from "@preact/signals";

import { get, post } from "../api.js";
import { follow, hasEnded } from "../events.js";
import { href, path, replaceAddress } from "../router.js";
import { notify, session } from "../state.js";
import { texts } from "../texts.js";

/** @import {JobState} from "../types.js" */
/** @import {MashupJob} from "./types.js" */

/**
 * @typedef {object} Result
 * @property {string} id Id of the job.
 * @property {MashupJob | null} job Null until it is loaded.
 * @property {unknown} error Why it could not be loaded.
 */

const STORED = "mashups";
const MAX_RESULTS = 12;
const MAX_NEWEST = 4;

/** Results, the oldest first. */
export const results = signal(/** @type {Result[]} */ ([]));

/** Id of the result that is shown. */
export const selected = signal(/** @type {string | null} */ (null));

/** Whether the tab is new, so that its results are still to be found. */
export const isNewTab = signal(true);

/** User of the results. @type {string | null | undefined} */
let owner;

/** Functions that end the reports of running jobs. @type {Map<string, () => void>} */
const following = new Map();

effect(() => {
  const now = session.value;
  if (now && now.user_id !== owner) restore(now.user_id);
  if (now !== null) return;
  for (const stop of following.values()) stop();
  following.clear();
});

effect(() => {
  const stored = { owner, ids: results.value.map(({ id }) => id), selected: selected.value };
  try {
    sessionStorage.setItem(STORED, JSON.stringify(stored));
  } catch {
    // Storage is forbidden in this browser: the results last until the page is closed.
  }
});

/** @param {string | null} user */
function restore(user) {
  owner = user;
  batch(() => {
    results.value = [];
    selected.value = null;
    isNewTab.value = true;
    try {
      const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
      if (!Array.isArray(stored.ids) || stored.owner !== user) return;
      results.value = stored.ids.map((/** @type {string} */ id) => ({ id, job: null, error: null }));
      selected.value = stored.selected;
      isNewTab.value = false;
    } catch {
      // Another version of the page has stored it: start without results.
    }
  });
}

/**
 * Show a mashup, and add it to the results if it is new.
 * @param {string} id Id of its job.
 */
export function show(id) {
  if (!results.value.some((result) => result.id === id)) {
    results.value = [...results.value, { id, job: null, error: null }].slice(-MAX_RESULTS);
  }
  select(id);
}

/**
 * Select the result that is shown, and name it in the address.
 * @param {string | null} id
 */
export function select(id) {
  selected.value = id;
  if (path.value.startsWith("/mashup")) replaceAddress(id ? `/mashup/${id}` : "/mashup");
}

/** Scroll to the results if they are out of view, as below the settings on a small screen. */
export function reveal() {
  requestAnimationFrame(() => {
    const tabs = document.querySelector(".result-tabs");
    const { top = 0 } = tabs?.getBoundingClientRect() ?? {};
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if (top < 0 || top > innerHeight * 0.6) tabs?.scrollIntoView({ behavior, block: "start" });
  });
}

/**
 * Remove a mashup from the results; its job stays.
 * @param {string} id
 */
export function hide(id) {
  const at = results.value.findIndex((result) => result.id === id);
  results.value = results.value.filter((result) => result.id !== id);
  if (selected.value === id) select(results.value[Math.max(0, at - 1)]?.id ?? null);
  following.get(id)?.();
  following.delete(id);
}

/** Load the jobs of results that are not loaded yet, and follow those that run. */
export async function loadResults() {
  if (isNewTab.value) await findNewest();
  await Promise.all(
    results.value.filter(({ job }) => !job || !hasEnded(job.status)).map(({ id }) => load(id)),
  );
}

/** Show the user's newest mashups in a new tab, unless an address names another one. */
async function findNewest() {
  const isWanted = owner && !results.value.length;
  const query = { job_type: "mashup", limit: MAX_NEWEST };
  // Without an answer the tab starts empty; the saved mashups below say why.
  const { items } = isWanted ? await get("/api/jobs", { query }).catch(() => ({ items: [] })) : { items: [] };
  const jobs = await Promise.all(
    items.map((/** @type {{id: string}} */ { id }) => get(`/api/mashup/ai/${id}`).catch(() => ({ id }))),
  );
  const found = jobs.filter((job) => !isExport(job));
  batch(() => {
    isNewTab.value = false;
    if (!found.length || results.value.length) return;
    results.value = found.map((job) => ({ id: job.id, job: job.status ? job : null, error: null })).reverse();
    select(found[0].id);
  });
}

/**
 * Whether a job only repeats a mashup to write it as files for other programs.
 * @param {Partial<MashupJob>} job
 */
function isExport(job) {
  return Boolean(job.retry_of && job.input_data?.export?.length);
}

/** @param {string} id */
export async function load(id) {
  try {
    set(id, { job: await get(`/api/mashup/ai/${id}`), error: null });
    watch(id);
  } catch (error) {
    set(id, { error });
  }
}

/** @param {string} id @param {Partial<Result>} fields */
function set(id, fields) {
  results.value = results.value.map((result) => (result.id === id ? { ...result, ...fields } : result));
}

/** @param {string} id */
function watch(id) {
  const job = results.value.find((result) => result.id === id)?.job;
  if (!job || hasEnded(job.status) || following.has(id)) return;
  const stop = follow(id, (state) => onState(id, state));
  following.set(id, stop);
}

/** @param {string} id @param {JobState} state */
function onState(id, state) {
  const job = results.value.find((result) => result.id === id)?.job;
  if (!hasEnded(state.status)) {
    if (job) set(id, { job: { ...job, ...state } });
    return;
  }
  following.delete(id);
  void load(id); // its result
  const isInView = path.value.startsWith("/mashup");
  const notice = { completed: texts.mashup.ready, failed: texts.mashup.failed }[String(state.status)];
  if (notice && !isInView) notify(notice, { href: href(`/mashup/${id}`), link: texts.mashup.open });
}

/**
 * Key of a creation that was not answered, so that it is not made twice.
 * @type {{text: string, key: string} | null}
 */
let unanswered = null;

/**
 * Make a mashup, and show it beside the others.
 * @param {object} input Input of the job.
 * @throws {import("../api.js").ApiError}
 */
export async function generate(input) {
  const text = JSON.stringify(input);
  const key = unanswered?.text === text ? unanswered.key : newKey();
  unanswered = { text, key };
  try {
    const { jobId } = await post("/api/mashup/ai", input, { headers: { "Idempotency-Key": key } });
    unanswered = null;
    show(jobId);
    await load(jobId);
  } catch (error) {
    const { status = 0 } = /** @type {{status?: number}} */ (error);
    if (status >= 400 && status < 500) unanswered = null;
    throw error;
  }
}

const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

/**
 * Cancel the job of a running mashup.
 * @param {string} id
 */
export async function cancel(id) {
  const job = await post(`/api/jobs/${id}/cancel`);
  const known = results.value.find((result) => result.id === id)?.job;
  if (known)
    set(id, { job: { ...known, ...job, input_data: known.input_data, output_data: known.output_data } });
}

/**
 * Repeat a mashup that failed or was canceled; the new job takes its place.
 * @param {string} id
 */
export async function retry(id) {
  const { jobId } = await post(`/api/jobs/${id}/retry`);
  results.value = results.value.map((result) =>
    result.id === id ? { id: jobId, job: null, error: null } : result,
  );
  select(jobId);
  await load(jobId);
}
