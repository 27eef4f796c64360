/** Chosen songs and stems, grouped by song, with their roles. */

import { Button } from "../components/button.js";
import { Choices, Select } from "../components/field.js";
import { EmptyState } from "../components/empty.js";
import { keyName, tempo } from "../format.js";
import { html } from "../html.js";
import { href } from "../router.js";
import { chosen, clearChosen, unchoose } from "../state.js";
import { texts } from "../texts.js";
import { formsOf, rolesOf, soundingStems } from "./groups.js";
import { change, groups, settings } from "./settings.js";

/** @import {Group, Roles} from "./groups.js" */

export function ChosenSongs() {
  const songs = groups.value;
  const words = texts.mashup.chosen;
  if (!songs.length) {
    return html`<section class="card">
      <${EmptyState} icon="mashup" title=${words.emptyTitle} text=${words.emptyText}>
        <div class="row">
          <${Button} kind="primary" href=${href("/songs")}>${words.toSongs}<//>
          <${Button} href=${href("/stems")}>${words.toStems}<//>
        </div>
      <//>
    </section>`;
  }
  const roles = rolesOf(songs, settings.value);
  return html`<section class="card stack" aria-labelledby="chosen">
    <div class="row">
      <h2 id="chosen" class="grow">${words.title}</h2>
      <${Button} kind="quiet" small onClick=${clearChosen}>${words.clear}<//>
    </div>
    <ul class="chosen-list">
      ${songs.map((song) => html`<${ChosenSong} key=${song.id} song=${song} roles=${roles} />`)}
    </ul>
    <p><a href=${href("/stems") + fitQuery()}>${words.more}</a></p>
    <${RoleFields} songs=${songs} roles=${roles} />
  </section>`;
}

/** Query of the stems that fit the first choice. */
const fitQuery = () => `?compatible_with=${encodeURIComponent(chosen.value[0]?.id ?? "")}`;

/** @param {{song: Group, roles: Roles}} props */
function ChosenSong({ song, roles }) {
  const words = texts.mashup.chosen;
  const sounding = new Set(soundingStems(song, roles).map(({ id }) => id));
  const removeSong = () => song.stems.forEach(({ id }) => unchoose(id));
  return html`<li class="chosen-song">
    <div class="row">
      <div class="grow">
        <p class="chosen-title">${song.title}</p>
        <p class="facts">
          ${roleOf(song, roles).map((role) => html`<strong key=${role}>${role}</strong>`)}
          <span>${tempo(song.tempo_bpm)}</span>
          <span>${keyName(song.key)}</span>
          ${song.camelot && html`<span><abbr title=${texts.songs.camelot}>${song.camelot}</abbr></span>`}
        </p>
      </div>
      <${Button} kind="quiet" small icon="close" label=${words.removeSong(song.title)} onClick=${removeSong} />
    </div>
    <ul class="chosen-stems" aria-label=${words.stemsOf(song.title)}>
      ${song.stems.map(({ id, kind }) => {
        const name = texts.kinds[kind] ?? kind;
        const isSilent = !sounding.has(id);
        return html`<li key=${id} class=${`chip ${isSilent ? "is-silent" : ""}`} data-stem=${kind}>
          <span class="dot"></span>${name}${isSilent && html`<span class="hidden-text"> (${words.silent})</span>`}
          <button
            type="button"
            class="chip-remove"
            aria-label=${words.removeStem(name, song.title)}
            title=${words.removeStem(name, song.title)}
            onClick=${() => unchoose(id)}
          >
            ×
          </button>
        </li>`;
      })}
    </ul>
  </li>`;
}

/** @param {Group} song @param {Roles} roles */
function roleOf(song, { form, singer, base, order }) {
  const words = texts.mashup.roles;
  if (form !== "layer") return order.length > 1 ? [words.place(order.indexOf(song) + 1)] : [];
  return [song === singer && words.sings, song === base && words.base].filter(Boolean);
}

/** @param {{songs: Group[], roles: Roles}} props */
function RoleFields({ songs, roles }) {
  const words = texts.mashup.roles;
  const forms = formsOf(songs);
  const options = (/** @type {Group[]} */ list) => list.map(({ id, title }) => ({ value: id, label: title }));
  return html`
    ${
      forms.length > 1
        ? html`<${Choices}
          label=${words.form}
          value=${roles.form}
          onChange=${(/** @type {any} */ form) => change({ form })}
          options=${forms.map((form) => ({ value: form, label: words.forms[form] }))}
        />`
        : ""
    }
    <p class="muted small">${forms.length > 1 ? words.meanings[roles.form] : words.single}</p>
    ${
      roles.singer &&
      html`<${Select}
      label=${words.singer}
      hint=${words.singerHint}
      value=${roles.singer.id}
      onChange=${(/** @type {string} */ singer) => change({ singer })}
      options=${options(roles.singers)}
    />`
    }
    ${
      roles.bases.length > 1 &&
      html`<${Select}
      label=${roles.form === "layer" ? words.baseSong : words.first}
      hint=${words.baseHint}
      value=${roles.base?.id}
      onChange=${(/** @type {string} */ base) => change({ base })}
      options=${options(roles.bases)}
    />`
    }
  `;
}
