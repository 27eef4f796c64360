/** The 24 keys in the API's spelling, with their positions on the Camelot wheel. */

const TONICS = {
  major: ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"],
  minor: ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"],
};

/** @param {number} tonic @param {boolean} isMinor A step on the wheel is a fifth. */
const camelot = (tonic, isMinor) =>
  `${((((tonic + (isMinor ? 3 : 0)) * 7 + 7) % 12) + 1).toString()}${isMinor ? "A" : "B"}`;

/** Keys, in the order of the wheel. @type {{key: string, camelot: string}[]} */
export const MUSIC_KEYS = /** @type {const} */ (["minor", "major"])
  .flatMap((mode) =>
    TONICS[mode].map((tonic, at) => ({ key: `${tonic} ${mode}`, camelot: camelot(at, mode === "minor") })),
  )
  .sort((a, b) => parseInt(a.camelot) - parseInt(b.camelot) || a.camelot.localeCompare(b.camelot));
