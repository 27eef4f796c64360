/** The 24 keys, in the order of the Camelot wheel. */

import { keyName } from "./format.js";

const TONICS = {
  minor: ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"],
  major: ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"],
};

/** @param {number} tonic Semitones above C. @param {boolean} isMinor */
const wheelNumber = (tonic, isMinor) => (((tonic + (isMinor ? 3 : 0)) * 7 + 7) % 12) + 1;

/** @type {{name: string, camelot: string, number: number}[]} */
export const KEYS = Object.entries(TONICS)
  .flatMap(([mode, tonics]) =>
    tonics.map((tonic, at) => {
      const number = wheelNumber(at, mode === "minor");
      return { name: `${tonic} ${mode}`, camelot: `${number}${mode === "minor" ? "A" : "B"}`, number };
    }),
  )
  .sort((one, other) => one.number - other.number || one.camelot.localeCompare(other.camelot));

/** Options of a list, such as `8A · A minor`. @param {"name" | "camelot"} value */
export const keyOptions = (value) =>
  KEYS.map((key) => ({ value: key[value], label: `${key.camelot} · ${keyName(key.name)}` }));
