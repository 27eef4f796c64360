/** Songs and settings of the next mashup, which a reload keeps. */

import { computed, effect, signal } from "@preact/signals";

import { chosen } from "../state.js";
import { groupsOf } from "./groups.js";
import { DEFAULTS } from "./input.js";

/** @import {Settings} from "./input.js" */

/** Chosen stems, grouped by song. */
export const groups = computed(() => groupsOf(chosen.value));

const STORED = "mashup-settings";

export const settings = signal(readStored());

effect(() => {
  const text = JSON.stringify(settings.value);
  try {
    sessionStorage.setItem(STORED, text);
  } catch {
    // Storage is forbidden in this browser: the settings last until the page is closed.
  }
});

/** @returns {Settings} */
function readStored() {
  try {
    return { ...DEFAULTS, ...JSON.parse(sessionStorage.getItem(STORED) ?? "{}") };
  } catch {
    return DEFAULTS;
  }
}

/** @param {Partial<Settings>} some */
export function change(some) {
  settings.value = { ...settings.value, ...some };
}
