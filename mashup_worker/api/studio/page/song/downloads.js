/** Downloads of a song: all stems, and what the mixer plays now. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Button } from "../components/button.js";
import { Exports } from "../components/exports.js";
import { Progress } from "../components/progress.js";
import { decibels } from "../format.js";
import { html } from "../html.js";
import { notify } from "../state.js";
import { texts } from "../texts.js";

/** @import {Song} from "../types.js" */
/** @import {SongPlayer} from "./player.js" */

/** @param {{song: Song, player: SongPlayer}} props */
export function Downloads({ song, player }) {
  const { share, error, start, cancel } = useMixdown(song, player);
  const isSilent = player.audible.value.size === 0;
  return html`<section class="card stack" aria-labelledby="downloads">
    <h2 id="downloads">${texts.downloads.title}</h2>
    <p class="muted">${texts.downloads.intro}</p>
    <div class="row">
      <${Button} icon="download" href=${`/api/songs/${song.id}/stems.zip`} download>${texts.downloads.zip}<//>
      ${
        share === null
          ? html`<${Button} icon="download" disabled=${isSilent || player.state.value === "loading"} onClick=${start}>
            ${texts.downloads.mix}
          <//>`
          : html`<${Button} icon="close" onClick=${cancel}>${texts.songs.cancel}<//>`
      }
    </div>
    <div class="downloads-state" role="status">
      ${share !== null &&
      html`<${Progress} value=${share} text=${texts.downloads.mixing} label=${texts.downloads.mixing} />`}
      ${error && html`<p class="field-error">${texts.downloads.failed}</p>`}
      ${isSilent && html`<p class="muted small">${texts.downloads.silent}</p>`}
    </div>
    <${Exports} path=${`/api/songs/${song.id}/exports`} title=${song.title} />
  </section>`;
}

/**
 * Make a WAV file of what the mixer plays, and hand it to the browser.
 * @param {Song} song
 * @param {SongPlayer} player
 */
function useMixdown(song, player) {
  const [share, setShare] = useState(/** @type {number | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const abort = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => abort.current?.abort(), []);

  const start = async () => {
    const controller = new AbortController();
    abort.current = controller;
    setShare(0);
    setError(null);
    try {
      const { mixdown } = await import("../audio/mixdown.js");
      const blob = await mixdown(player.transport, {
        signal: controller.signal,
        onProgress: setShare,
        onReduced: (gainDb) => notify(texts.downloads.reduced(decibels(gainDb))),
      });
      save(blob, `${song.title} - ${texts.downloads.mixName}.wav`);
    } catch (failure) {
      if (!controller.signal.aborted) setError(failure);
    }
    if (abort.current === controller) setShare(null);
  };
  const cancel = () => {
    abort.current?.abort();
    setShare(null);
  };
  return { share, error, start, cancel };
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
