/** Keyboard of the song view. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** @import {BeatGrid} from "./grid.js" */
/** @import {SongPlayer} from "./player.js" */
/** @import {Timeline} from "./timeline.js" */

const STORED = "keys";
const LOOP_BARS = 4;
const LOOP_S = 8;

/** Whether single keys control the player; who dictates to a computer must be able to turn that off. */
export const keysAreOn = signal(readStored());

function readStored() {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch {
    return true;
  }
}

/** @param {boolean} isOn */
export function turnKeys(isOn) {
  keysAreOn.value = isOn;
  try {
    localStorage.setItem(STORED, isOn ? "on" : "off");
  } catch {
    // Storage is forbidden in this browser: the choice lasts until the page is closed.
  }
}

/**
 * Loop the next bars, or nothing if a loop is set.
 * @param {SongPlayer} player
 * @param {BeatGrid} grid
 */
export function toggleLoop(player, grid) {
  player.setLoop(player.loop.value ? null : nextBars(grid, player.positionS.value));
}

/** @param {BeatGrid} grid @param {number} seconds */
function nextBars(grid, seconds) {
  if (!grid.hasBars) return grid.snapped(seconds, seconds + LOOP_S);
  const first = Math.max(0, Math.min(grid.barAt(seconds), grid.bars.length - 1));
  const last = Math.min(first + LOOP_BARS, grid.bars.length);
  return { startS: grid.barStart(first), endS: grid.barStart(last) };
}

/**
 * Set one end of the loop to the bar at the position.
 * @param {SongPlayer} player
 * @param {BeatGrid} grid
 * @param {"start" | "end"} end
 */
export function setLoopEnd(player, grid, end) {
  const seconds = player.positionS.value;
  const here = grid.hasBars ? grid.snapped(seconds, seconds) : { startS: seconds, endS: seconds };
  const range = { ...(player.loop.value ?? nextBars(grid, seconds)) };
  if (end === "start") range.startS = here.startS;
  else range.endS = here.endS;
  player.setLoop(range.startS < range.endS ? range : nextBars(grid, here.startS));
}

/**
 * Control a player with the keyboard, wherever the focus is.
 * @param {{player: SongPlayer, grid: BeatGrid, timeline: Timeline, showKeys: () => void}} options
 */
export function useKeys({ player, grid, timeline, showKeys }) {
  useEffect(() => {
    /** @param {-1 | 1} direction @param {boolean} isBar */
    const step = (direction, isBar) => {
      const seconds = player.positionS.value;
      player.seek(isBar ? grid.nextBar(seconds, direction) : grid.nextBeat(seconds, direction));
      timeline.show(player.positionS.value);
    };
    /** @param {-1 | 1} direction */
    const zoom = (direction) => timeline.zoomBy(direction, player.positionS.value);
    /** @type {Record<string, (event: KeyboardEvent) => void>} */
    const actions = {
      " ": () => player.toggle(),
      ArrowLeft: (event) => step(-1, event.shiftKey),
      ArrowRight: (event) => step(1, event.shiftKey),
      Home: () => player.seek(0),
      End: () => player.seek(player.durationS.value),
      l: () => toggleLoop(player, grid),
      "[": () => setLoopEnd(player, grid, "start"),
      "]": () => setLoopEnd(player, grid, "end"),
      "+": () => zoom(1),
      "=": () => zoom(1),
      "-": () => zoom(-1),
      "?": showKeys,
    };
    /** @param {KeyboardEvent} event */
    const onKeyDown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !isFree(event) || !keysAreOn.value) return;
      const number = Number(/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1] ?? 0);
      const lane = player.lanes.value[number - 1];
      const action = actions[event.key] ?? actions[event.key.toLowerCase()];
      if (number && lane) event.shiftKey ? player.toggleSolo(lane.id) : player.toggleMuted(lane.id);
      else if (action) action(event);
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [player, grid]);
}

const TEXT = "input:not([type=range], [type=checkbox], [type=radio]), textarea, [contenteditable]";
const WITH_ARROWS = "select, input[type=range], input[type=radio], .lanes-scroll";
const WITH_SPACE = "button, a, summary, select, input";

/**
 * Return whether the focused control leaves a key to the player.
 * @param {KeyboardEvent} event
 */
function isFree({ key, target }) {
  if (!(target instanceof Element) || target.closest(`${TEXT}, dialog`)) return false;
  if (key.startsWith("Arrow") || key === "Home" || key === "End") return !target.closest(WITH_ARROWS);
  if (key === " ") return !target.closest(WITH_SPACE);
  return !target.closest("select");
}
