/** Chosen stems, grouped by song, and the roles of the songs in the next mashup. */

/** @import {Chosen} from "../types.js" */
/** @import {Settings} from "./input.js" */

/**
 * @typedef {object} Group Song with its chosen stems.
 * @property {string} id
 * @property {string} title Different for each song.
 * @property {{id: string, kind: string}[]} stems
 * @property {number | null} tempo_bpm
 * @property {string | null} key
 * @property {string | null} camelot
 */

/**
 * @typedef {"layer" | "sequence" | "medley"} Form Vocals over other songs, songs one after another, or
 * short parts of songs.
 */

/**
 * Group items by their songs, in the order of their choice.
 * @param {Chosen[]} items
 * @returns {Group[]}
 */
export function groupsOf(items) {
  /** @type {Map<string, Group>} */
  const found = new Map();
  for (const { song, title, stems, tempo_bpm, key, camelot } of items) {
    const group = found.get(song) ?? { id: song, title: "", stems: [], tempo_bpm, key, camelot };
    const added = stems.filter((stem) => !group.stems.some(({ id }) => id === stem.id));
    group.stems = [...group.stems, ...added];
    group.title ||= freeTitle(title, [...found.values()]);
    found.set(song, group);
  }
  return [...found.values()];
}

/**
 * Return a title that no other song has: the server joins stems whose songs have the same name.
 * @param {string} title @param {Group[]} others
 */
function freeTitle(title, others) {
  const short = title.slice(0, 190);
  const isTaken = (/** @type {string} */ name) => others.some((other) => other.title === name);
  let name = short;
  for (let count = 2; isTaken(name); count++) name = `${short} (${count})`;
  return name;
}

/** @param {{kind: string}} stem */
export const isVocal = ({ kind }) => kind.startsWith("vocals");

/** @param {Group} group */
export const hasVocals = (group) => group.stems.some(isVocal);

/** @param {Group} group */
export const hasInstruments = (group) => !group.stems.every(isVocal);

/**
 * Return the forms that songs allow, best first.
 * @param {Group[]} songs
 * @returns {Form[]}
 */
export function formsOf(songs) {
  const singers = songs.filter(hasVocals);
  const canLayer = singers.some((singer) => songs.some((one) => one !== singer && hasInstruments(one)));
  /** @type {(Form | false)[]} */
  const forms = [canLayer && "layer", "sequence", songs.length > 1 && "medley"];
  return forms.filter((form) => form !== false);
}

/**
 * @typedef {object} Roles
 * @property {Form} form
 * @property {Group | null} singer Song whose vocals sing in a layer.
 * @property {Group | null} base Song that sets the tempo.
 * @property {Group[]} singers Songs that could sing.
 * @property {Group[]} bases Songs that could be the base.
 * @property {Group[]} order Songs as they are sent, the base first and the singer last.
 */

/**
 * Return the roles of songs; settings that no longer fit are replaced.
 * @param {Group[]} songs
 * @param {Settings} settings
 * @returns {Roles}
 */
export function rolesOf(songs, settings) {
  const forms = formsOf(songs);
  const form = forms.includes(settings.form) ? settings.form : forms[0];
  if (form !== "layer") {
    const base = songs.find(({ id }) => id === settings.base) ?? songs[0] ?? null;
    const order = base ? [base, ...songs.filter((one) => one !== base)] : [];
    return { form, singer: null, base, singers: [], bases: songs, order };
  }
  const singers = songs.filter(
    (song) => hasVocals(song) && songs.some((one) => one !== song && hasInstruments(one)),
  );
  const singer = singers.find(({ id }) => id === settings.singer) ?? defaultSinger(singers);
  const bases = songs.filter((song) => song !== singer && hasInstruments(song));
  const base = bases.find(({ id }) => id === settings.base) ?? bases[0];
  return {
    form,
    singer,
    base,
    singers,
    bases,
    order: [base, ...bases.filter((one) => one !== base), singer],
  };
}

/** @param {Group[]} singers */
const defaultSinger = (singers) => singers.find((song) => !hasInstruments(song)) ?? singers[0];

/**
 * Return the stems of a song that sound in its role.
 * @param {Group} song
 * @param {Roles} roles
 */
export function soundingStems(song, { form, singer }) {
  if (form !== "layer") return song.stems;
  return song.stems.filter((stem) => isVocal(stem) === (song === singer));
}
