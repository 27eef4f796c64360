/** Stem in the list: its facts, waveform, and its compatibility with a chosen song. */

import { ChoiceButton } from "../components/choice.js";
import { ownerOf } from "../components/owner.js";
import { PlayButton } from "../components/play.js";
import { Waveform } from "../components/waveform.js";
import { duration, keyName, percent, tempo } from "../format.js";
import { html } from "../html.js";
import { preview, previewShare, seekPreview } from "../preview.js";
import { stemChoice } from "../state.js";
import { texts } from "../texts.js";

/** @import {Compatibility, Stem} from "../types.js" */

/** @param {{stem: Stem}} props */
export function StemRow({ stem }) {
  const title = stem.title || texts.stems.untitled;
  const kind = texts.kinds[stem.kind] ?? stem.kind;
  const name = texts.stems.name(kind, title);
  const audioUrl = `/api/stems/${stem.id}/audio`;
  const framesUrl = `/api/stems/${stem.id}/frames`;
  const item = { id: stem.id, title: name, tracks: [{ id: stem.kind, audioUrl, framesUrl }] };
  const isCurrent = preview.value?.id === stem.id;
  const look = stem.compatibility ? "stem-fitted" : "";
  return html`<li class=${`song stem ${look}`} data-stem=${stem.kind} id=${`stem-${stem.id}`}>
    <div class="song-play"><${PlayButton} item=${item} /></div>
    <div class="song-text">
      <span class="song-title">${title}</span>
      <p class="facts">
        <span class="stem-kind"><span class="dot"></span>${kind}</span>
        <span>${tempo(stem.tempo_bpm)}</span>
        <span>${keyName(stem.key)}</span>
        ${stem.camelot && html`<span><abbr title=${texts.songs.camelot}>${stem.camelot}</abbr></span>`}
        <span>${duration(stem.duration_s)}</span>
        <span>${ownerOf(stem)}</span>
      </p>
    </div>
    <div class="song-wave">
      <${Waveform}
        url=${`/api/stems/${stem.id}/peaks`}
        title=${name}
        kind=${stem.kind}
        share=${isCurrent ? previewShare : null}
        onSeek=${isCurrent ? (/** @type {number} */ share) => seekPreview(item, share) : null}
      />
    </div>
    ${stem.compatibility && html`<${Fit} fit=${stem.compatibility} />`}
    <div class="song-tools"><${ChoiceButton} item=${stemChoice(stem, title)} name=${name} /></div>
  </li>`;
}

/** @param {{fit: Compatibility}} props */
function Fit({ fit }) {
  const { score, tempo: tempoFit, key } = fit;
  const look = score >= 0.8 ? "chip-good" : score < 0.5 ? "chip-warn" : "";
  const words = [texts.stems.speed(tempoFit), texts.stems.keyDistance(key.camelot_distance)];
  return html`<div class="stem-fit">
    <span class=${`chip ${look}`}>${texts.stems.fit(percent(score))}</span>
    <span class="small muted">${words.join(", ")}</span>
  </div>`;
}
