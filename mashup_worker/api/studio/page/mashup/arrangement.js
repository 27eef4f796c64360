/** Arrangement of a mashup, as its plan describes it: rows of clips, transitions, and each song's changes. */

import { texts } from "../texts.js";

/** @import {Plan, PlanClip, PlanSource} from "./types.js" */

const KINDS = ["vocals", "drums", "bass", "other", "guitar", "piano"];
const EPSILON = 1e-6;

/**
 * @typedef {object} ClipBox Clip on the timeline.
 * @property {PlanClip} clip
 * @property {number} left Share of the mashup, 0 to 1.
 * @property {number} width Share of the mashup.
 * @property {string} words All facts of the clip.
 */

/** @typedef {{name: string, song: string, kind: string, clips: ClipBox[]}} Row Stem with its clips. */

/** @typedef {{name: string, left: number, width: number, bars: string, why: string}} SectionBox */

/** @typedef {{left: number, width: number, words: string}} TransitionBox Change of the song that plays. */

/**
 * Return the time of a bar in seconds; the tempo may change on bar lines.
 * @param {Plan} plan @param {number} bar
 */
export function timeAt({ grid }, bar) {
  const starts = [[0, grid.tempo_bpm], ...(grid.tempo_changes ?? [])];
  const bars = starts.map(([from, bpm], at) => {
    const to = Math.min(bar, starts[at + 1]?.[0] ?? bar);
    return (Math.max(0, to - from) * 60 * grid.beats_per_bar) / bpm;
  });
  return bars.reduce((sum, seconds) => sum + seconds, 0);
}

/**
 * Return the number of the bar that plays at a time, from 1.
 * @param {Plan} plan @param {number} seconds
 */
export function barNumber(plan, seconds) {
  let bar = 0;
  while (bar < plan.grid.bars && timeAt(plan, bar + 1) <= seconds + 1e-6) bar += 1;
  return bar + 1;
}

/**
 * Return the stems of a plan with their clips: the singer first, then the songs as they enter.
 * @param {Plan} plan
 * @returns {Row[]}
 */
export function rowsOf(plan) {
  const songs = songsOf(plan);
  const rows = Object.entries(plan.sources).map(([name, source]) => ({
    name,
    song: source.song,
    kind: source.kind,
    clips: plan.clips
      .filter((clip) => clip.source === name)
      .sort((one, other) => one.at_bar - other.at_bar)
      .map((clip) => ({ ...spanOf(clip, plan), clip, words: texts.arrangement.clip(clip, source) })),
  }));
  const rank = (/** @type {Row} */ row) => songs.indexOf(row.song) * 100 + kindRank(row.kind);
  return rows.sort((one, other) => rank(one) - rank(other));
}

/** @param {string} kind */
const kindRank = (kind) => (KINDS.indexOf(kind) + KINDS.length + 1) % (KINDS.length + 1);

/**
 * Return the songs of a plan: the singer first, then in the order in which they enter.
 * @param {Plan} plan
 */
export function songsOf({ clips, sources, form }) {
  const first = new Map();
  for (const clip of clips) {
    const { song, kind } = sources[clip.source];
    const sings = form === "layer" && kind.startsWith("vocals");
    const at = sings ? -1 : clip.at_bar;
    first.set(song, Math.min(first.get(song) ?? Infinity, at));
  }
  return [...first.keys()].sort((one, other) => first.get(one) - first.get(other));
}

/** @param {{at_bar: number, bars: number}} place @param {Plan} plan */
function spanOf({ at_bar, bars }, plan) {
  const whole = timeAt(plan, plan.grid.bars);
  const [from, to] = [at_bar, at_bar + bars].map((bar) => timeAt(plan, bar) / whole);
  return { left: from, width: to - from };
}

/**
 * Return the sections of a plan.
 * @param {Plan} plan
 * @returns {SectionBox[]}
 */
export function sectionsOf(plan) {
  return plan.sections.map((section) => ({
    name: texts.arrangement.sections[section.name] ?? section.name,
    bars: texts.arrangement.bars(section.at_bar, section.bars),
    why: section.why ? `: ${section.why}` : "",
    ...spanOf(section, plan),
  }));
}

/**
 * Return the changes from one song's instruments to another's.
 * @param {Plan} plan
 * @returns {TransitionBox[]}
 */
export function transitionsOf(plan) {
  const blocks = songBlocks(plan);
  return blocks.slice(1).flatMap((next, at) => {
    const before = blocks[at];
    if (before.song === next.song || next.from > before.to + EPSILON) return [];
    const shared = Math.max(0, before.to - next.from);
    const words = texts.arrangement.transition(plan.transition, before.song, next.song, next.from, shared);
    return [{ ...spanOf({ at_bar: next.from, bars: shared }, plan), words }];
  });
}

/**
 * Return the ranges of bars in which each song plays, in their order. Vocals of a layer play over
 * other songs, so they do not count.
 * @param {Plan} plan
 */
function songBlocks({ clips, sources, form }) {
  /** @type {{song: string, from: number, to: number}[]} */
  const blocks = [];
  for (const clip of [...clips].sort((one, other) => one.at_bar - other.at_bar)) {
    const { song, kind } = sources[clip.source];
    if (form === "layer" && kind.startsWith("vocals")) continue;
    const [from, to] = [clip.at_bar, clip.at_bar + clip.bars];
    const open = blocks.findLast((block) => block.song === song && from <= block.to + EPSILON);
    if (open) open.to = Math.max(open.to, to);
    else blocks.push({ song, from, to });
  }
  return blocks;
}

/**
 * Return the change of speed of a clip, such as 0.05 for 5 % faster.
 * @param {PlanClip} clip
 */
export const speedOf = ({ stretch_ratio: ratio }) => (ratio ? 1 / ratio - 1 : 0);

/**
 * Return how a plan changes each of its songs.
 * @param {Plan} plan
 * @returns {{song: string, kinds: string[], tempo_bpm: number, speed: number, semitones: number}[]}
 */
export function changesOf(plan) {
  return songsOf(plan).map((song) => {
    const clips = plan.clips.filter(({ source }) => plan.sources[source].song === song);
    const sources = Object.values(plan.sources).filter((source) => source.song === song);
    const pitched = clips.find(({ semitones }) => semitones !== 0); // drums are never transposed
    return {
      song,
      kinds: sources.map(({ kind }) => kind).sort((one, other) => kindRank(one) - kindRank(other)),
      tempo_bpm: sources[0].tempo_bpm,
      speed: speedOf(clips[0]),
      semitones: pitched?.semitones ?? 0,
    };
  });
}
