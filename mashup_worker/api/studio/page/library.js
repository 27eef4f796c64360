/** The user's songs: pages of the list, uploads, and the progress of their jobs. */

import { computed, effect, signal } from "@preact/signals";

import { ApiError, get, post } from "./api.js";
import { follow, hasEnded } from "./events.js";
import { href, path } from "./router.js";
import { notify, online, session, songs } from "./state.js";
import { texts } from "./texts.js";
import { uploadFile } from "./upload.js";

/** @import {JobState, Song} from "./types.js" */

/** @typedef {"waiting" | "sending" | "checking" | "failed"} UploadState */

/**
 * @typedef {object} Upload File on its way to become a song.
 * @property {string} id Also the idempotency key of its job.
 * @property {File} file
 * @property {UploadState} state
 * @property {number} share Share that was sent, 0 to 1.
 * @property {string | null} key Object of the store, once it was sent.
 * @property {number} tries Times that it was started.
 * @property {unknown} error
 * @property {AbortController} abort
 */

const PAGE_SIZE = 20;
const MAX_UPLOADS = 3;
const MAX_TRIES = 3;

/** Uploads, in the order in which they start. */
export const uploads = signal(/** @type {Upload[]} */ ([]));

/** Whether files are being sent, which the end of the page would cancel. */
export const isUploading = computed(() => uploads.value.some((one) => one.state !== "failed"));

/** Cursor of the next page of songs; null after the last. */
export const nextCursor = signal(/** @type {string | null} */ (null));

/** Whether the first page was loaded; uploads may be in the list before. */
let isLoaded = false;

/** Ids of jobs that are followed, with the functions that end it. @type {Map<string, () => void>} */
const following = new Map();

effect(() => {
  if (session.value) return;
  for (const stop of following.values()) stop();
  following.clear();
  isLoaded = false;
});

/** Load the newest songs; pages that were loaded before stay below them. */
export async function loadSongs() {
  const { items, next } = await get("/api/songs", { query: { limit: PAGE_SIZE } });
  if (!isLoaded) nextCursor.value = next;
  isLoaded = true;
  songs.value = joined(items, songs.value ?? []);
  followAll();
}

/**
 * Join two parts of the list; songs of both are as in the first.
 * @param {Song[]} first @param {Song[]} second
 */
function joined(first, second) {
  const ids = new Set(first.map((song) => song.id));
  return [...first, ...second.filter((song) => !ids.has(song.id))];
}

/** Load the next page of songs. */
export async function loadMoreSongs() {
  const query = { limit: PAGE_SIZE, cursor: nextCursor.value };
  const { items, next } = await get("/api/songs", { query });
  songs.value = joined(songs.value ?? [], items);
  nextCursor.value = next;
  followAll();
}

function followAll() {
  for (const { id, status } of songs.value ?? []) {
    if (hasEnded(status) || following.has(id)) continue;
    following.set(
      id,
      follow(id, (state) => void onState(id, state)),
    );
  }
}

/** @param {string} id @param {JobState} state */
async function onState(id, state) {
  const { status, stage, progress, error_code, error_message } = state;
  if (status !== "completed") change(id, { status, stage, progress, error_code, error_message });
  if (!hasEnded(status)) return;
  following.delete(id);
  if (status === "failed") notify(texts.songs.failedNotice(titleOf(id)));
  if (status !== "completed") return;
  try {
    change(id, await get(`/api/songs/${id}`));
    notify(texts.songs.doneNotice(titleOf(id)), { href: href(`/songs/${id}`), link: texts.songs.open });
  } catch {
    change(id, { status, stage, progress });
  }
}

/** @param {string} id */
const titleOf = (id) => songs.value?.find((song) => song.id === id)?.title ?? "";

/**
 * Change the fields of a song in the list.
 * @param {string} id
 * @param {Partial<Song>} fields
 */
export function change(id, fields) {
  if (!songs.value) return;
  songs.value = songs.value.map((song) => (song.id === id ? { ...song, ...fields } : song));
}

/**
 * Cancel the job of a song.
 * @param {Song} song
 */
export async function cancelSong(song) {
  await post(`/api/jobs/${song.id}/cancel`);
  change(song.id, { stage: "canceling" });
}

/**
 * Repeat the job of a song that failed; the new job takes its place in the list.
 * @param {Song} song
 * @returns {Promise<Song>} The new song.
 */
export async function retrySong(song) {
  const headers = { "Idempotency-Key": `retry-${song.id}` }; // once, even if two tabs ask for it
  const { jobId } = await post(`/api/jobs/${song.id}/retry`, undefined, { headers });
  const repeated = await get(`/api/songs/${jobId}`);
  if (songs.value) songs.value = songs.value.map((one) => (one.id === song.id ? repeated : one));
  followAll();
  return repeated;
}

/**
 * Upload files, and separate each.
 * @param {Iterable<File>} files
 */
export function addFiles(files) {
  const added = [...files].map((file) => ({
    id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    file,
    state: /** @type {UploadState} */ ("waiting"),
    share: 0,
    key: null,
    tries: 0,
    error: null,
    abort: new AbortController(),
  }));
  uploads.value = [...uploads.value, ...added];
  startUploads();
}

/** @param {Upload} upload */
export function removeUpload(upload) {
  upload.abort.abort();
  uploads.value = uploads.value.filter((one) => one.id !== upload.id);
}

/** @param {Upload} upload */
export function retryUpload(upload) {
  changeUpload(upload.id, { state: "waiting", share: 0, error: null });
  startUploads();
}

/** @param {string} id @param {Partial<Upload>} fields */
function changeUpload(id, fields) {
  uploads.value = uploads.value.map((one) => (one.id === id ? { ...one, ...fields } : one));
}

/** Start waiting uploads while fewer than the limit run. */
function startUploads() {
  const running = uploads.value.filter((one) => ["sending", "checking"].includes(one.state));
  const waiting = uploads.value.filter((one) => one.state === "waiting");
  for (const upload of waiting.slice(0, Math.max(0, MAX_UPLOADS - running.length))) {
    changeUpload(upload.id, { state: "sending", tries: upload.tries + 1 });
    void run(upload).finally(startUploads);
  }
}

/** @param {Upload} upload */
async function run({ id, file, key: sentKey, abort }) {
  /** @param {number} share */
  const onProgress = (share) => changeUpload(id, { share, state: share < 1 ? "sending" : "checking" });
  try {
    const key = sentKey ?? (await uploadFile(file, { onProgress, signal: abort.signal })).key;
    changeUpload(id, { key, state: "checking" });
    const headers = { "Idempotency-Key": id };
    const { jobId } = await post("/api/audio/separate", { audio: key }, { headers });
    const song = await get(`/api/songs/${jobId}`);
    uploads.value = uploads.value.filter((one) => one.id !== id);
    songs.value = joined([song], songs.value ?? []);
    followAll();
  } catch (error) {
    if (abort.signal.aborted) return;
    changeUpload(id, { state: "failed", error });
    if (path.value !== "/songs") notify(texts.songs.uploadFailed(file.name)); // where no row shows it
  }
}

// Start uploads again that a lost connection ended. One that ends again and again, as behind a proxy
// that refuses its size, stops after a few tries.
effect(() => {
  if (!online.value) return;
  for (const upload of uploads.peek()) {
    const isLost = upload.error instanceof ApiError && upload.error.code === "offline";
    if (isLost && (upload.key || upload.tries < MAX_TRIES)) retryUpload(upload);
  }
});

addEventListener("beforeunload", (event) => {
  if (isUploading.value) event.preventDefault();
});
