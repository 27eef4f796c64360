/** Settings of a mashup, and the input of its job. */

import { formsOf, rolesOf, soundingStems } from "./groups.js";

/** @import {Form, Group} from "./groups.js" */

/**
 * @typedef {object} Settings Empty texts leave a value to the server.
 * @property {Form} form
 * @property {string} singer Id of the song that sings.
 * @property {string} base Id of the song that sets the tempo.
 * @property {string} vibe
 * @property {number} intensity From 0 to 1.
 * @property {string} transition
 * @property {string} tempo_bpm
 * @property {string} key
 * @property {string} length_s
 * @property {string} loudness_lufs
 * @property {string} seed
 * @property {string} format
 */

export const VIBES = ["club", "chill", "lofi", "hype", "ambient"];
export const TRANSITIONS = ["crossfade", "bass_swap", "filter_sweep", "cut"];
export const FORMATS = ["flac", "wav", "mp3", "ogg"];

/** Lowest and highest value of each number. @type {Record<string, [number, number]>} */
export const LIMITS = {
  tempo_bpm: [30, 300],
  length_s: [4, 1_200],
  loudness_lufs: [-36, -5],
  seed: [0, Number.MAX_SAFE_INTEGER],
};

/** @type {Settings} */
export const DEFAULTS = {
  form: "layer",
  singer: "",
  base: "",
  vibe: "club",
  intensity: 0.5,
  transition: "",
  tempo_bpm: "",
  key: "",
  length_s: "",
  loudness_lufs: "",
  seed: "0",
  format: "flac",
};

/**
 * Return the names of the numbers that are outside their limits.
 * @param {Settings} values
 */
export function faultsOf(values) {
  return Object.keys(LIMITS).filter((name) => {
    const text = values[/** @type {"seed"} */ (name)];
    const [low, high] = LIMITS[name];
    const number = Number(text);
    const isWrong = !(number >= low && number <= high) || (name === "seed" && !Number.isInteger(number));
    return text === "" ? name === "seed" : isWrong;
  });
}

/**
 * Return the input of a mashup job.
 * @param {Group[]} songs
 * @param {Settings} values
 */
export function inputOf(songs, values) {
  const roles = rolesOf(songs, values);
  const stems = roles.order.flatMap((song) =>
    soundingStems(song, roles).map(({ id, kind }) => ({ stem_id: id, kind, song: song.title })),
  );
  const form = formsOf(songs).length > 1 ? roles.form : "";
  const { vibe, intensity, transition, key, format } = values;
  const numbers = Object.keys(LIMITS).map((name) => [name, numberIn(values[/** @type {"seed"} */ (name)])]);
  const config = { form, vibe, intensity, transition, key, ...Object.fromEntries(numbers) };
  const given = Object.entries(config).filter(([, value]) => value !== "" && value !== null);
  return { stems, config: Object.fromEntries(given), format };
}

/** @param {string} text */
const numberIn = (text) => (text === "" ? null : Number(text));
