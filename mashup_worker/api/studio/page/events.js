/**
 * Progress of jobs: server-sent events for a few jobs, and polling for the others.
 *
 * Browsers open six connections to a server, over all tabs. A stream occupies one, so a tab has at
 * most two, and none while it is hidden.
 */

import { get } from "./api.js";
import { online } from "./state.js";

/** @import {JobState} from "./types.js" */

const MAX_STREAMS = 2;
const POLL_MS = 3_000;
const PROBE_MS = 2_000;
const ENDED = new Set(["completed", "failed", "canceled"]);

/** @typedef {{listeners: Set<(state: JobState) => void>, stream: EventSource | null, canStream: boolean}} Followed */

/** @type {Map<string, Followed>} */
const followed = new Map();
let timer = 0;

/**
 * Return whether a job with a status changes no more.
 * @param {string} status
 */
export const hasEnded = (status) => ENDED.has(status);

/**
 * Report the state of a job and its changes until it ends.
 * @param {string} jobId
 * @param {(state: JobState) => void} listener
 * @returns {() => void} Function that ends the reports.
 */
export function follow(jobId, listener) {
  const entry = followed.get(jobId) ?? { listeners: new Set(), stream: null, canStream: true };
  entry.listeners.add(listener);
  followed.set(jobId, entry);
  arrange();
  return () => {
    entry.listeners.delete(listener);
    if (!entry.listeners.size) remove(jobId);
  };
}

/** @param {string} jobId */
function remove(jobId) {
  followed.get(jobId)?.stream?.close();
  followed.delete(jobId);
  arrange();
}

/** Open the streams that are free, and poll for the jobs without one. */
function arrange() {
  const isHidden = document.visibilityState === "hidden";
  let free = MAX_STREAMS;
  for (const [jobId, entry] of followed) {
    if (isHidden) closeStream(entry);
    else if (entry.stream) free -= 1;
    else if (entry.canStream && free > 0) {
      free -= 1;
      open(jobId, entry);
    }
  }
  const isPolling = !isHidden && [...followed.values()].some((entry) => !entry.stream);
  if (isPolling && !timer) timer = window.setTimeout(poll, POLL_MS);
  if (!isPolling && timer > 0) {
    clearTimeout(timer);
    timer = 0;
  }
}

/** @param {string} jobId @param {Followed} entry */
function open(jobId, entry) {
  const stream = new EventSource(`/api/jobs/${jobId}/events`);
  entry.stream = stream;
  stream.onmessage = (event) => {
    online.value = true;
    report(jobId, JSON.parse(event.data));
  };
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) {
      closeStream(entry);
      entry.canStream = false; // the answer was an error, which only a call can read
      arrange();
    } else {
      setTimeout(() => probe(jobId, stream), PROBE_MS); // the browser connects again by itself
    }
  };
}

/**
 * Ask for the state of a job whose stream broke, which shows a lost connection.
 * @param {string} jobId @param {EventSource} stream
 */
async function probe(jobId, stream) {
  if (stream.readyState !== EventSource.CONNECTING || !followed.has(jobId)) return;
  try {
    report(jobId, await get(`/api/jobs/${jobId}`));
  } catch {
    setTimeout(() => probe(jobId, stream), PROBE_MS);
  }
}

/** @param {Followed} entry */
function closeStream(entry) {
  entry.stream?.close();
  entry.stream = null;
}

/** @param {string} jobId @param {JobState} state */
function report(jobId, state) {
  const listeners = [...(followed.get(jobId)?.listeners ?? [])];
  if (hasEnded(state.status)) remove(jobId);
  for (const listener of listeners) listener(state);
}

async function poll() {
  clearTimeout(timer);
  timer = -1; // no second poll at the same time
  try {
    const { items } = await get("/api/jobs", { query: { limit: 100 } });
    const states = new Map(items.map((/** @type {any} */ job) => [job.id, job]));
    for (const [jobId, entry] of [...followed]) {
      if (entry.stream) continue;
      const state = states.get(jobId) ?? (await get(`/api/jobs/${jobId}`));
      entry.canStream = true; // the server answers again
      report(jobId, state);
    }
  } catch {
    // The banner shows a lost connection, and the login an ended session. Try again later.
  }
  timer = 0;
  arrange();
}

document.addEventListener("visibilitychange", () => {
  arrange();
  if (document.visibilityState === "visible" && followed.size && timer >= 0) void poll();
});
