/** Correction of a song's tempo, first beat and key, which later mashups use. */

import { useEffect, useRef, useState } from "preact/hooks";

import { del, put } from "../api.js";
import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { Choices, Select } from "../components/field.js";
import { keyName, tempo } from "../format.js";
import { html } from "../html.js";
import { MUSIC_KEYS } from "../music-keys.js";
import { texts } from "../texts.js";

/** @import {Correction, Song} from "../types.js" */

const SAVE_MS = 400;

/** @type {Correction} */
const NONE = { tempo_factor: 1, downbeat_shift: 0, key: null };

/**
 * @param {object} props
 * @param {Song} props.song
 * @param {() => Promise<void>} props.onSaved Loads the song with its corrected analysis.
 */
export function CorrectionPanel({ song, onSaved }) {
  const { correction, status, error, change, reset } = useCorrection(song, onSaved);
  const foundTempo = song.tempo_bpm && song.tempo_bpm / (song.correction?.tempo_factor ?? 1);
  const beatsPerBar = song.analysis?.beats_per_bar ?? 4;
  const isChanged = Boolean(song.correction) || status === "saving";
  /** @param {number} step */
  const nudge = (step) => change({ downbeat_shift: (correction.downbeat_shift + step) % beatsPerBar });
  const wholeBeats = Math.floor(correction.downbeat_shift);
  return html`<section class="card stack" aria-labelledby="correction">
    <div class="row">
      <h2 id="correction" class="grow">${texts.correction.title}</h2>
      <span class="muted small" role="status">${texts.correction.statuses[status]}</span>
      <${Button} small disabled=${!isChanged} onClick=${reset}>${texts.correction.reset}<//>
    </div>
    <p class="muted">${texts.correction.intro}</p>
    ${error && html`<${ErrorNote} error=${error} />`}
    <div class="correction">
      <${Choices}
        label=${texts.correction.tempo}
        value=${String(correction.tempo_factor)}
        onChange=${(/** @type {string} */ value) => change({ tempo_factor: Number(value) })}
        options=${[0.5, 1, 2].map((factor) => ({
          value: String(factor),
          label: texts.correction.factor(factor, foundTempo ? tempo(foundTempo * factor) : ""),
        }))}
      />
      <${Choices}
        label=${texts.correction.beats}
        value=${String(correction.downbeat_shift - wholeBeats)}
        onChange=${(/** @type {string} */ value) => change({ downbeat_shift: wholeBeats + Number(value) })}
        options=${["0", "0.5"].map((value) => ({ value, label: texts.correction.halves[value] }))}
      />
      <div class="field" role="group" aria-labelledby="downbeat">
        <span class="field-label" id="downbeat">${texts.correction.downbeat}</span>
        <div class="row">
          <${Button} icon="earlier" label=${texts.correction.earlier} onClick=${() => nudge(-1)} />
          <span class="shift">${texts.correction.shift(wholeBeats)}</span>
          <${Button} icon="later" label=${texts.correction.later} onClick=${() => nudge(1)} />
        </div>
      </div>
      <${Select}
        label=${texts.correction.key}
        value=${correction.key ?? ""}
        onChange=${(/** @type {string} */ key) => change({ key: key || null })}
        options=${keyOptions(song)}
      />
    </div>
  </section>`;
}

/** @param {Song} song */
function keyOptions(song) {
  const found = song.correction?.key
    ? texts.correction.foundKey
    : texts.correction.foundKeyOf(keyName(song.key));
  const keys = MUSIC_KEYS.map(({ key, camelot }) => ({ value: key, label: `${camelot}  ${keyName(key)}` }));
  return [{ value: "", label: found }, ...keys];
}

/**
 * Keep a correction, and save its changes after a short pause.
 * @param {Song} song
 * @param {() => Promise<void>} onSaved
 */
function useCorrection(song, onSaved) {
  const [correction, setCorrection] = useState(song.correction ?? NONE);
  const [status, setStatus] = useState(/** @type {"idle" | "saving" | "saved" | "failed"} */ ("idle"));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const pending = useRef({ timer: 0, save: /** @type {(() => void) | null} */ (null) });

  /** @param {() => Promise<unknown>} call */
  const store = async (call) => {
    pending.current.save = null;
    try {
      await call();
      await onSaved();
      setStatus("saved");
    } catch (refusal) {
      setError(refusal);
      setStatus("failed");
    }
  };
  /** @param {Correction} next @param {() => Promise<unknown>} call @param {number} waitMs */
  const plan = (next, call, waitMs) => {
    setCorrection(next);
    setStatus("saving");
    setError(null);
    clearTimeout(pending.current.timer);
    pending.current.save = () => void store(call);
    pending.current.timer = window.setTimeout(() => pending.current.save?.(), waitMs);
  };
  useEffect(
    () => () => {
      clearTimeout(pending.current.timer);
      pending.current.save?.(); // the view closes before the pause is over
    },
    [],
  );
  const address = `/api/songs/${song.id}/correction`;
  /** @param {Partial<Correction>} fields */
  const change = (fields) => {
    const next = { ...correction, ...fields };
    plan(next, () => put(address, next), SAVE_MS);
  };
  const reset = () => plan(NONE, () => del(address), 0);
  return { correction, status, error, change, reset };
}
