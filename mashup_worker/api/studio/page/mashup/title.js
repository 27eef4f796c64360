/** Titles of results. */

import { texts } from "../texts.js";
import { songsOf } from "./arrangement.js";
import { isVocal } from "./groups.js";
import { savedAs } from "./saved.js";

/** @import {MashupInput, MashupJob} from "./types.js" */

/**
 * Return the title of a result: that under which it is saved, or else its songs.
 * @param {MashupJob} job
 */
export function titleOf({ id, input_data: input, output_data: output }) {
  const saved = savedAs(id)?.title;
  if (saved) return saved;
  if (output) return texts.mashup.titleOf(songsOf(output.plan), output.plan.form === "layer");
  const { songs, isLayer } = songsOfInput(input);
  return texts.mashup.titleOf(songs, isLayer);
}

/** @param {MashupInput} input */
function songsOfInput({ stems = [] }) {
  const names = (/** @type {typeof stems} */ some) => new Set(some.flatMap(({ song }) => song ?? []));
  const [songs, singers] = [names(stems), names(stems.filter(isVocal))];
  const isLayer = songs.size > 1 && singers.size === 1;
  return { songs: isLayer ? [...new Set([...singers, ...songs])] : [...songs], isLayer };
}
