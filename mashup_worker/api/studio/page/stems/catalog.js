/** Pages of the stems that match filters. */

import { signal } from "@preact/signals";

import { get } from "../api.js";
import { parametersOf } from "./filters.js";

/** @import {Stem} from "../types.js" */
/** @import {Filters} from "./filters.js" */

const PAGE_SIZE = 25;

/**
 * @typedef {object} Catalog Stems that were found.
 * @property {Stem[]} items
 * @property {string | null} next Cursor of the next page; null after the last.
 */

/** Stems that match the filters; null until they are loaded. */
export const catalog = signal(/** @type {Catalog | null} */ (null));

/** @type {AbortController | null} */
let running = null;

/**
 * Load the first page of the stems that match filters; a newer call replaces an older one.
 * @param {Filters} filters
 * @returns {Promise<boolean>} Whether this call was the newest when its answer arrived.
 */
export async function loadStems(filters) {
  running?.abort();
  const mine = (running = new AbortController());
  try {
    const query = { ...parametersOf(filters), limit: PAGE_SIZE };
    catalog.value = await get("/api/stems", { query, signal: mine.signal });
  } catch (error) {
    if (mine.signal.aborted) return false;
    throw error;
  }
  return true;
}

/**
 * Load the next page.
 * @param {Filters} filters
 * @returns {Promise<string | null>} Id of the first new stem.
 */
export async function loadMoreStems(filters) {
  const before = catalog.value;
  if (!before?.next) return null;
  const query = { ...parametersOf(filters), limit: PAGE_SIZE, cursor: before.next };
  const { items, next } = await get("/api/stems", { query });
  if (catalog.value !== before) return null;
  const known = new Set(before.items.map(({ id }) => id));
  const added = items.filter((/** @type {Stem} */ stem) => !known.has(stem.id));
  catalog.value = { items: [...before.items, ...added], next };
  return added[0]?.id ?? null;
}
