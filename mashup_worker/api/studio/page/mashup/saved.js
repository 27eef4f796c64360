/** Mashups that were saved, with their credits. */

import { signal } from "@preact/signals";

import { get, post } from "../api.js";

/**
 * @typedef {object} SavedMashup
 * @property {string} id
 * @property {string | null} user_id
 * @property {string | null} title
 * @property {boolean} is_public
 * @property {string} created_at
 * @property {string | null} job_id
 * @property {number | null} duration_s
 * @property {number | null} loudness_lufs
 * @property {string | null} audio_url
 */

/** @typedef {{user_id: string | null, stems: number, share: number}} Credit Share in parts of 10,000. */

/** @typedef {{items: SavedMashup[], next: string | null}} SavedPage */

const PAGE_SIZE = 25;

/** Own and public mashups that can be heard; null until they are loaded. */
export const saved = signal(/** @type {SavedPage | null} */ (null));

/** @param {boolean} onlyMine */
export async function loadSaved(onlyMine) {
  const page = await get("/api/mashups", { query: { mine: onlyMine || null, limit: PAGE_SIZE } });
  saved.value = audible(page);
}

/** @param {boolean} onlyMine */
export async function loadMoreSaved(onlyMine) {
  const before = saved.value;
  if (!before?.next) return;
  const query = { mine: onlyMine || null, limit: PAGE_SIZE, cursor: before.next };
  const page = audible(await get("/api/mashups", { query }));
  if (saved.value === before) saved.value = { items: [...before.items, ...page.items], next: page.next };
}

/** @param {SavedPage} page Mashups without a result are places for the stems of a song. */
const audible = ({ items, next }) => ({ items: items.filter(({ audio_url }) => audio_url), next });

/**
 * Return the mashup as which the result of a job was saved.
 * @param {string} jobId
 */
export const savedAs = (jobId) => saved.value?.items.find(({ job_id }) => job_id === jobId) ?? null;

/**
 * Save the result of a job; one that was saved before stays as it is.
 * @param {string} jobId @param {string} title @param {boolean} isPublic
 * @returns {Promise<SavedMashup>}
 */
export async function save(jobId, title, isPublic) {
  const mashup = await post("/api/mashups", { job_id: jobId, title, is_public: isPublic });
  const { items, next } = saved.value ?? { items: [], next: null };
  saved.value = { items: [mashup, ...items.filter(({ id }) => id !== mashup.id)], next };
  return mashup;
}

/**
 * Return the shares of the creators.
 * @param {string} mashupId
 * @returns {Promise<Credit[]>}
 */
export const loadCredits = async (mashupId) => (await get(`/api/mashups/${mashupId}/credits`)).credits;
