/** Song: its stems in one player, with corrections and downloads. */

import { useEffect, useMemo, useState } from "preact/hooks";

import { get } from "../api.js";
import { ChoiceButton } from "../components/choice.js";
import { EmptyState } from "../components/empty.js";
import { ErrorNote } from "../components/error.js";
import { Icon } from "../components/icons.js";
import { Page } from "../components/page.js";
import { Facts, SongRow } from "../components/song-row.js";
import { follow, hasEnded } from "../events.js";
import { html } from "../html.js";
import { change } from "../library.js";
import { href } from "../router.js";
import { songChoice, songs } from "../state.js";
import { CorrectionPanel } from "../song/correction.js";
import { Downloads } from "../song/downloads.js";
import { useFollow } from "../song/follow.js";
import { BeatGrid } from "../song/grid.js";
import { KeysDialog } from "../song/keys-dialog.js";
import { useKeys } from "../song/keys.js";
import { Lanes } from "../song/lanes.js";
import { SongPlayer } from "../song/player.js";
import { Timeline } from "../song/timeline.js";
import { Toolbar } from "../song/toolbar.js";
import { texts } from "../texts.js";

/** @import {Song} from "../types.js" */

/** @param {{id: string}} props */
export default function SongView({ id }) {
  const listed = songs.value?.find((one) => one.id === id) ?? null;
  const [song, setSong] = useState(/** @type {Song | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const load = async () => {
    const found = await get(`/api/songs/${id}`);
    setSong(found);
    setError(null);
    change(id, found);
  };
  const tryLoad = () => void load().catch(setError);
  useEffect(tryLoad, [id]);
  const isRunning = Boolean(song) && !hasEnded(song?.status ?? "");
  useEffect(() => {
    if (!isRunning) return undefined;
    return follow(id, (state) => {
      if (state.status === "completed") tryLoad();
      else setSong((before) => before && { ...before, ...state, id });
    });
  }, [id, isRunning]);

  const shown = song ?? listed;
  const isReady = song?.status === "completed" && song.stems.length > 0;
  return html`<${Page}
    title=${shown?.title ?? texts.song.title}
    width="wide"
    busy=${!song && !error}
    lead=${html`<a class="back" href=${href("/songs")}><${Icon} name="back" size=${16} />${texts.songs.title}</a>`}
    tools=${shown?.status === "completed" && html`<${ChoiceButton} item=${songChoice(shown)} />`}
  >
    <div class="song-facts">${shown && html`<${Facts} song=${shown} />`}</div>
    ${error && html`<${ErrorNote} error=${error} onRetry=${tryLoad} />`}
    ${
      isReady
        ? html`<${ReadySong} key=${song.id} song=${song} onChanged=${load} />`
        : !error && html`<${NotReady} song=${song} />`
    }
  <//>`;
}

/** Song that is loaded, runs, failed, or has no stems. @param {{song: Song | null}} props */
function NotReady({ song }) {
  if (!song) return html`<div class="skeleton player-skeleton" aria-hidden="true"></div>`;
  if (song.status === "completed") {
    return html`<${EmptyState} title=${texts.song.noStems} text=${texts.song.noStemsText} />`;
  }
  return html`<ul class="list"><${SongRow} song=${song} /></ul>`;
}

/** @param {{song: Song, onChanged: () => Promise<void>}} props */
function ReadySong({ song, onChanged }) {
  const [attempt, setAttempt] = useState(0);
  const player = useMemo(() => new SongPlayer(song), [attempt]);
  const timeline = useMemo(() => new Timeline(), []);
  const grid = useMemo(() => new BeatGrid(song.analysis, player.durationS.peek()), [song.analysis, player]);
  const [isShowingKeys, setShowingKeys] = useState(false);
  const showKeys = () => setShowingKeys(true);
  useEffect(() => () => player.close(), [player]);
  useFollow(player, timeline);
  useKeys({ player, grid, timeline, showKeys });
  timeline.durationS.value = player.durationS.value || 1;
  /** @param {any} element Tests reach the transport here. */
  const expose = (element) => element && (element.transport = player.transport);
  return html`
    <div class="player" ref=${expose}>
      <${Toolbar} ...${{ player, grid, timeline, showKeys }} />
      <${PlayerNote} player=${player} />
      <${Lanes}
        key=${attempt}
        ...${{ player, grid, timeline }}
        title=${song.title}
        onReload=${() => setAttempt(attempt + 1)}
      />
    </div>
    <div class="song-panels">
      <${CorrectionPanel} song=${song} onSaved=${onChanged} />
      <${Downloads} song=${song} player=${player} />
    </div>
    <${ModelNote} song=${song} />
    ${isShowingKeys && html`<${KeysDialog} onClose=${() => setShowingKeys(false)} />`}
  `;
}

/** Model of the stems, and the license of its weights. @param {{song: Song}} props */
function ModelNote({ song }) {
  const { model, license } = song;
  if (!model) return null;
  const words = texts.song;
  const terms = license && `${license.id}, ${words.licenses[license.license_class]}`;
  return html`<p class="facts model-note">
    <span>${words.separatedBy(model)}</span>
    ${
      license &&
      html`<span title=${license.statement}>
        ${`${words.license}: `}
        ${/^https:/.test(license.source) ? html`<a href=${license.source} rel="noreferrer" target="_blank">${terms}</a>` : terms}
      </span>`
    }
  </p>`;
}

/** Why the stems do not play together. @param {{player: SongPlayer}} props */
function PlayerNote({ player }) {
  const only = player.onlyTrack.value;
  if (only === null) return null;
  return html`<p class="note note-warn player-note" role="status">
    ${texts.song.oneAtATime(texts.kinds[only] ?? only)}
  </p>`;
}
