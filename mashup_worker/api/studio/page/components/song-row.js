/** Song in the list: its facts and waveform, or the progress of its job, or its error. */

import { useState } from "preact/hooks";

import { notifyError, wordsOfJob } from "../api.js";
import { duration, keyName, tempo } from "../format.js";
import { html } from "../html.js";
import { cancelSong, retrySong } from "../library.js";
import { preview, previewShare, seekPreview } from "../preview.js";
import { href, navigate, path } from "../router.js";
import { songChoice } from "../state.js";
import { texts } from "../texts.js";
import { Button } from "./button.js";
import { ChoiceButton } from "./choice.js";
import { PlayButton } from "./play.js";
import { Progress } from "./progress.js";
import { Waveform } from "./waveform.js";

/** @import {Song} from "../types.js" */

/** @param {{song: Song}} props */
export function SongRow({ song }) {
  if (song.status === "completed") return html`<${ReadySong} song=${song} />`;
  const isRunning = song.status === "queued" || song.status === "processing";
  return isRunning ? html`<${RunningSong} song=${song} />` : html`<${EndedSong} song=${song} />`;
}

/** Row before its song is known, of the same size. */
export function SongSkeleton() {
  return html`<li class="song" aria-hidden="true">
    <span class="skeleton song-play"></span>
    <div class="song-text">
      <span class="skeleton skeleton-title"></span>
      <span class="skeleton skeleton-line"></span>
    </div>
    <div class="song-wave"><span class="skeleton skeleton-wave"></span></div>
    <div class="song-tools"><span class="skeleton skeleton-button"></span></div>
  </li>`;
}

/**
 * Return what the preview plays for a song: its stems together.
 * @param {Song} song
 * @returns {import("../preview.js").Playable}
 */
function playable({ id, title, stems }) {
  const tracks = stems.map((stem) => ({
    id: stem.kind,
    audioUrl: `/api/stems/${stem.id}/audio`,
    framesUrl: `/api/stems/${stem.id}/frames`,
  }));
  return { id, title, tracks };
}

/** @param {{song: Song}} props */
function ReadySong({ song }) {
  const item = playable(song);
  const isCurrent = preview.value?.id === song.id;
  return html`<li class="song">
    <div class="song-play"><${PlayButton} item=${item} disabled=${!item.tracks.length} /></div>
    <div class="song-text">
      <a class="song-title" href=${href(`/songs/${song.id}`)} title=${song.title}>${song.title}</a>
      <${Facts} song=${song} />
    </div>
    <div class="song-wave">
      ${
        song.stems.length > 0 &&
        html`<${Waveform}
        url=${song.stems.map(({ id }) => `/api/stems/${id}/peaks`)}
        title=${song.title}
        share=${isCurrent ? previewShare : null}
        onSeek=${isCurrent ? (/** @type {number} */ share) => seekPreview(item, share) : null}
      />`
      }
    </div>
    <div class="song-tools"><${ChoiceButton} item=${songChoice(song)} /></div>
  </li>`;
}

/** Tempo, key and duration. @param {{song: Song}} props */
export function Facts({ song }) {
  if (song.status !== "completed") return null;
  const drifts = song.tempo_stable === false ? ` ${texts.songs.drifts}` : "";
  return html`<p class="facts">
    <span>${song.tempo_bpm ? tempo(song.tempo_bpm) : texts.songs.noTempo}${drifts}</span>
    <span>${song.key ? keyName(song.key) : texts.songs.noKey}</span>
    ${song.camelot && html`<span><abbr title=${texts.songs.camelot}>${song.camelot}</abbr></span>`}
    <span>${duration(song.duration_s)}</span>
    ${song.correction && html`<span>${texts.songs.corrected}</span>`}
  </p>`;
}

/** @param {{song: Song}} props */
function RunningSong({ song }) {
  const [isBusy, setBusy] = useState(false);
  const cancel = async () => {
    setBusy(true);
    await cancelSong(song).catch((error) => {
      notifyError(error);
      setBusy(false);
    });
  };
  const stage = song.stage ?? song.status;
  const isWaiting = song.status === "queued";
  return html`<li class="song">
    <div class="song-play"><span class="spinner" aria-hidden="true"></span></div>
    <div class="song-text">
      <span class="song-title">${song.title}</span>
      <p class="facts">${texts.statuses[song.status]}</p>
    </div>
    <div class="song-wave">
      <${Progress}
        value=${isWaiting ? null : song.progress / 100}
        text=${isBusy ? texts.songs.canceling : (texts.stages[isWaiting ? "queued" : stage] ?? stage)}
        label=${texts.songs.progressOf(song.title)}
      />
    </div>
    <div class="song-tools">
      <${Button} small icon="close" busy=${isBusy} onClick=${cancel}>
        <span class="wide-only">${texts.songs.cancel}</span><span class="hidden-text">${song.title}</span>
      <//>
    </div>
  </li>`;
}

/** Song whose job failed or was canceled. @param {{song: Song}} props */
function EndedSong({ song }) {
  const [isBusy, setBusy] = useState(false);
  const retry = async () => {
    setBusy(true);
    try {
      const repeated = await retrySong(song);
      if (path.value === `/songs/${song.id}`) navigate(`/songs/${repeated.id}`, { replace: true });
    } catch (error) {
      notifyError(error);
      setBusy(false);
    }
  };
  const { what, todo } = song.status === "failed" ? wordsOfJob(song) : texts.songs.canceledWords;
  return html`<li class="song song-ended">
    <div class="song-play"></div>
    <div class="song-text">
      <span class="song-title">${song.title}</span>
      <p><span class=${`chip ${song.status === "failed" ? "chip-bad" : ""}`}>${texts.statuses[song.status]}</span></p>
    </div>
    <p class="song-wave"><span><strong>${what}</strong> ${todo}</span></p>
    <div class="song-tools">
      <${Button} small icon="retry" busy=${isBusy} onClick=${retry}>
        <span class="wide-only">${texts.errors.retry}</span><span class="hidden-text">${song.title}</span>
      <//>
    </div>
  </li>`;
}
