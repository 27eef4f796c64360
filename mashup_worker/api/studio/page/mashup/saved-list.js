/** List of saved mashups: play, credits, download. */

import { useEffect, useId, useState } from "preact/hooks";

import { Button } from "../components/button.js";
import { ErrorNote } from "../components/error.js";
import { Choices } from "../components/field.js";
import { ownerOf } from "../components/owner.js";
import { PlayButton } from "../components/play.js";
import { Waveform } from "../components/waveform.js";
import { dateTime, duration, loudness } from "../format.js";
import { html } from "../html.js";
import { useListKeys } from "../list-keys.js";
import { preview, previewShare, seekPreview } from "../preview.js";
import { href } from "../router.js";
import { session } from "../state.js";
import { texts } from "../texts.js";
import { Credits } from "./credits.js";
import { loadMoreSaved, loadSaved, saved } from "./saved.js";

/** @import {SavedMashup} from "./saved.js" */

export function SavedMashups() {
  const canBeMine = Boolean(session.value?.user_id);
  const [owner, setOwner] = useState(canBeMine ? "mine" : "");
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const onlyMine = owner === "mine";
  const run = (/** @type {(onlyMine: boolean) => Promise<void>} */ call) => {
    setError(null);
    call(onlyMine).catch(setError);
  };
  useEffect(() => run(loadSaved), [onlyMine]);
  const onKeyDown = useListKeys();
  const items = saved.value?.items.filter(({ user_id }) => !onlyMine || user_id === session.value?.user_id);
  const words = texts.saved;
  return html`<section class="stack" aria-labelledby="saved">
    <div class="row">
      <h2 id="saved" class="grow">${words.title}</h2>
      ${
        canBeMine &&
        html`<${Choices}
        label=${words.owner}
        hideLabel
        value=${owner}
        onChange=${setOwner}
        options=${[
          { value: "mine", label: words.mine },
          { value: "", label: words.all },
        ]}
      />`
      }
    </div>
    ${error && html`<${ErrorNote} error=${error} onRetry=${() => run(loadSaved)} />`}
    ${items && !items.length && html`<p class="muted">${words.empty}</p>`}
    ${
      items &&
      items.length > 0 &&
      html`<ul class="list" onKeyDown=${onKeyDown}>
      ${items.map((mashup) => html`<${SavedRow} key=${mashup.id} mashup=${mashup} />`)}
    </ul>`
    }
    ${
      saved.value?.next &&
      html`<div class="more"><${Button} onClick=${() => run(loadMoreSaved)}>${words.more}<//></div>`
    }
  </section>`;
}

/** @param {{mashup: SavedMashup}} props */
function SavedRow({ mashup }) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const title = mashup.title || texts.saved.untitled;
  const address = `/api/mashups/${mashup.id}`;
  const tracks = [{ id: "mashup", audioUrl: `${address}/audio`, framesUrl: `${address}/frames` }];
  const item = { id: mashup.id, title, tracks };
  const isCurrent = preview.value?.id === mashup.id;
  const isMine = mashup.user_id !== null && mashup.user_id === session.value?.user_id;
  return html`<li class="saved">
    <div class="song">
      <div class="song-play"><${PlayButton} item=${item} /></div>
      <div class="song-text">
        ${
          isMine && mashup.job_id
            ? html`<a class="song-title" href=${href(`/mashup/${mashup.job_id}`)}>${title}</a>`
            : html`<span class="song-title">${title}</span>`
        }
        <p class="facts">
          <span>${duration(mashup.duration_s)}</span>
          <span>${loudness(mashup.loudness_lufs)}</span>
          <span>${dateTime(mashup.created_at)}</span>
          <span>${ownerOf(mashup)}</span>
        </p>
      </div>
      <div class="song-wave">
        <${Waveform}
          url=${`${address}/peaks`}
          title=${title}
          share=${isCurrent ? previewShare : null}
          onSeek=${isCurrent ? (/** @type {number} */ share) => seekPreview(item, share) : null}
        />
      </div>
      <div class="song-tools">
        <${Button} small aria-expanded=${isOpen} aria-controls=${id} onClick=${() => setOpen(!isOpen)}>
          ${texts.credits.title}<span class="hidden-text">: ${title}</span>
        <//>
        <${Button}
          small
          icon="download"
          label=${texts.saved.download(title)}
          href=${`${address}/audio`}
          download=${title}
        />
      </div>
    </div>
    <div id=${id} class="saved-credits" hidden=${!isOpen}>
      ${isOpen && html`<${Credits} mashupId=${mashup.id} />`}
    </div>
  </li>`;
}
