/** Stems and settings of an earlier mashup, for the next one. */

import { get } from "../api.js";
import { chosen, stemChoice } from "../state.js";
import { isVocal } from "./groups.js";
import { DEFAULTS } from "./input.js";
import { change, groups } from "./settings.js";

/**
 * @import {Form} from "./groups.js"
 * @import {MashupJob} from "./types.js"
 */

/**
 * Choose the stems and settings of a mashup.
 * @param {MashupJob} job
 * @throws {import("../api.js").ApiError} A stem is gone.
 */
export async function reuse({ input_data: input, output_data: output }) {
  const used = (input.stems ?? []).filter(({ stem_id }) => stem_id);
  chosen.value = await Promise.all(
    used.map(async ({ stem_id, song }) => {
      const stem = await get(`/api/stems/${stem_id}`);
      return stemChoice(stem, song ?? stem.title ?? stem.provenance.file_name ?? "");
    }),
  );
  const texts = Object.fromEntries(
    Object.entries(input.config ?? {}).map(([name, value]) => [
      name,
      name === "intensity" ? value : String(value ?? ""),
    ]),
  );
  change({ ...DEFAULTS, ...texts, format: input.format ?? "mp3", ...rolesIn(output?.plan.form) });
}

/** @param {Form | undefined} form */
function rolesIn(form = "layer") {
  const songs = groups.value;
  const singer = songs.find((song) => song.stems.every(isVocal));
  return { form, singer: singer?.id ?? "", base: songs[0]?.id ?? "" };
}
