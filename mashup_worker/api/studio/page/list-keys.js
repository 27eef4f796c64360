/** Arrow keys in lists: up and down move the focus to the same control of the next row. */

import { useCallback } from "preact/hooks";

const CONTROLS = "a[href], button:not(:disabled)";

/** Return the handler of `keydown` for a list whose children are rows. */
export function useListKeys() {
  return useCallback((/** @type {KeyboardEvent & {currentTarget: HTMLElement}} */ event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const { target, currentTarget: list } = event;
    if (!step || !(target instanceof HTMLElement) || !target.matches(CONTROLS)) return;
    const rows = [...list.children];
    const at = rows.findIndex((row) => row.contains(target));
    const column = controlsOf(rows[at]).indexOf(target);
    const next = rows[at + step];
    if (!next) return;
    event.preventDefault();
    const controls = controlsOf(next);
    controls[Math.min(column, controls.length - 1)]?.focus();
  }, []);
}

/** @param {Element} row @returns {HTMLElement[]} */
const controlsOf = (row) => [...row.querySelectorAll(CONTROLS)].filter((one) => one instanceof HTMLElement);
