/** Signals that several views share. */

import { computed, effect, signal } from "@preact/signals";

/** @import {Chosen, Session, Song, Stem} from "./types.js" */

/** Session of the browser: null without one, undefined until the server has answered.
 * @type {import("@preact/signals").Signal<Session | null | undefined>} */
export const session = signal(/** @type {Session | null | undefined} */ (undefined));

/** Whether a session ended while the page was in use. */
export const sessionEnded = signal(false);

/** Whether the last call reached the server. */
export const online = signal(true);

/** Whether the user may see the queue. */
export const isOperator = computed(() => session.value?.scopes.includes("operator") ?? false);

/** Songs of the user, newest first; null until they are loaded. */
export const songs = signal(/** @type {Song[] | null} */ (null));

const CHOSEN_KEY = "chosen";

/** Songs and stems that are chosen for the next mashup, in the order of their choice. */
export const chosen = signal(/** @type {Chosen[]} */ (readChosen()));

effect(() => {
  const text = JSON.stringify(chosen.value);
  try {
    sessionStorage.setItem(CHOSEN_KEY, text);
  } catch {
    // Storage is forbidden in this browser: the choice lasts until the page is closed.
  }
});

/** @returns {Chosen[]} */
function readChosen() {
  try {
    const items = JSON.parse(sessionStorage.getItem(CHOSEN_KEY) ?? "[]");
    return Array.isArray(items) ? items : [];
  } catch {
    return [];
  }
}

/**
 * Return whether a song or stem is chosen, by itself or with its song.
 * @param {string} id
 */
export const isChosen = (id) =>
  chosen.value.some((item) => item.id === id || item.stems.some((stem) => stem.id === id));

/**
 * Choose a song or stem for the next mashup.
 * @param {Chosen} item
 */
export function choose(item) {
  if (!isChosen(item.id)) chosen.value = [...chosen.value, item];
}

/**
 * Remove a song or stem from the choice; a song without one of its stems keeps the others.
 * @param {string} id
 */
export function unchoose(id) {
  chosen.value = chosen.value
    .filter((item) => item.id !== id)
    .map((item) => ({ ...item, stems: item.stems.filter((stem) => stem.id !== id) }))
    .filter((item) => item.stems.length);
}

export function clearChosen() {
  chosen.value = [];
}

/**
 * Return a song as an item to choose.
 * @param {Song} song
 * @returns {Chosen}
 */
export function songChoice(song) {
  const { id, title, tempo_bpm, key, camelot, duration_s } = song;
  const stems = song.stems.map((stem) => ({ id: stem.id, kind: stem.kind }));
  return { type: "song", id, song: id, title, kind: "mix", tempo_bpm, key, camelot, duration_s, stems };
}

/**
 * Return a stem as an item to choose.
 * @param {Stem} stem
 * @param {string} title Title of its song.
 * @returns {Chosen}
 */
export function stemChoice(stem, title) {
  const { id, kind, tempo_bpm, key, camelot, duration_s } = stem;
  const stems = [{ id, kind }];
  const song = stem.job_id ?? stem.mashup_id ?? id;
  return { type: "stem", id, song, title, kind, tempo_bpm, key, camelot, duration_s, stems };
}

/** @typedef {{id: number, text: string, href?: string, link?: string}} Notice */

/** Notices at the edge of the page. */
export const notices = signal(/** @type {Notice[]} */ ([]));

const NOTICE_MS = 8_000;
let lastNotice = 0;

/**
 * Show a notice for some seconds; screen readers read it aloud.
 * @param {string} text
 * @param {{href?: string, link?: string}} [options] Address and text of a link.
 */
export function notify(text, options = {}) {
  const id = ++lastNotice;
  notices.value = [...notices.value.slice(-2), { id, text, ...options }];
  setTimeout(() => dismiss(id), NOTICE_MS);
}

/** @param {number} id */
export function dismiss(id) {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

const USER_KEY = "user";

/** The other tabs, which share the cookie: gets each session that starts, and null for a logout. */
const tabs = new BroadcastChannel("session");
tabs.onmessage = (/** @type {MessageEvent<Session | null>} */ { data }) => {
  if (session.value === undefined) return; // this tab asks the server
  if (data !== null) return applySession(data);
  sessionEnded.value = true;
  forgetUser();
};

/**
 * Start the session of a user, here and in the other tabs.
 * @param {Session} started
 */
export function startSession(started) {
  tabs.postMessage(started);
  applySession(started);
}

/**
 * Show the session of a user. The page is loaded again for another one than before, since modules
 * hold songs, uploads and choices of that user.
 * @param {Session} started
 */
function applySession(started) {
  const user = String(started.user_id);
  try {
    const before = sessionStorage.getItem(USER_KEY);
    sessionStorage.setItem(USER_KEY, user);
    if (before !== null && before !== user) {
      clearChosen();
      return location.reload();
    }
  } catch {
    // Storage is forbidden in this browser: nothing is kept from load to load.
  }
  session.value = started;
  sessionEnded.value = false;
}

/** Forget everything of a user who logged out, here and in the other tabs. */
export function endUser() {
  tabs.postMessage(null);
  forgetUser();
}

function forgetUser() {
  session.value = null;
  songs.value = null;
  clearChosen();
}
