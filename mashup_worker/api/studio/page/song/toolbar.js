/** Controls of the player: play, position, loop and zoom. */

import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";

import { Button } from "../components/button.js";
import { PlayerWait } from "../components/player-wait.js";
import { duration, position } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { toggleLoop } from "./keys.js";

/** @import {BeatGrid} from "./grid.js" */
/** @import {SongPlayer} from "./player.js" */
/** @import {Timeline} from "./timeline.js" */

/** @param {{player: SongPlayer, grid: BeatGrid, timeline: Timeline, showKeys: () => void}} props */
export function Toolbar({ player, grid, timeline, showKeys }) {
  return html`<div class="toolbar" role="group" aria-label=${texts.song.player}>
    <div class="toolbar-play">
      <${Button} kind="quiet" icon="start" label=${texts.song.toStart} onClick=${() => player.seek(0)} />
      <${Play} player=${player} />
      <${Clock} player=${player} grid=${grid} />
    </div>
    <${LoopControls} player=${player} grid=${grid} />
    <div class="toolbar-zoom">
      <${ZoomControls} player=${player} timeline=${timeline} />
      <${Button} kind="quiet" class="keys-button" icon="keyboard" label=${texts.song.keys} onClick=${showKeys} />
    </div>
    <${PlayerWait} player=${player} />
  </div>`;
}

/** @param {{player: SongPlayer}} props */
function Play({ player }) {
  const isPlaying = player.playing.value;
  const isWaiting = player.state.value === "waiting" || (isPlaying && player.state.value === "loading");
  return html`<${Button}
    kind="primary"
    class="button-play ${isWaiting ? "is-waiting" : ""}"
    icon=${isPlaying ? "pause" : "play"}
    label=${isPlaying ? texts.song.pause : texts.song.play}
    disabled=${player.state.value === "failed"}
    onClick=${() => player.toggle()}
  />`;
}

/** @param {{player: SongPlayer, grid: BeatGrid}} props */
function Clock({ player, grid }) {
  const [time, place] = useMemo(() => {
    const { positionS, durationS } = player;
    return [
      computed(() => position(positionS.value)),
      computed(() =>
        grid.hasBars
          ? texts.song.barAndBeat(grid.place(positionS.value))
          : texts.song.of(duration(durationS.value)),
      ),
    ];
  }, [player, grid]);
  return html`<div class="clock" aria-hidden="true">
    <span class="clock-time">${time.value}</span>
    <span class="muted small">${place.value}</span>
  </div>`;
}

/** @param {{player: SongPlayer, grid: BeatGrid}} props */
function LoopControls({ player, grid }) {
  const loop = player.loop.value;
  const last = grid.bars.length;
  const from = loop ? grid.barAt(loop.startS) + 1 : 1;
  const to = loop ? Math.max(from, grid.barAt(loop.endS - 0.05) + 1) : Math.min(4, last);
  /** @param {number} first @param {number} final */
  const set = (first, final) =>
    player.setLoop({ startS: grid.barStart(first - 1), endS: grid.barStart(Math.max(first, final)) });
  return html`<div class="toolbar-loop">
    <${Button} icon="loop" aria-pressed=${loop ? "true" : "false"} onClick=${() => toggleLoop(player, grid)}>
      ${texts.song.loop}
    <//>
    ${
      grid.hasBars &&
      html`<${BarInput}
          label=${texts.song.loopFrom}
          value=${from}
          max=${last}
          onChange=${(/** @type {number} */ bar) => set(bar, to)}
        />
      <span class="muted" aria-hidden="true">–</span>
        <${BarInput}
          label=${texts.song.loopTo}
          value=${to}
          max=${last}
          onChange=${(/** @type {number} */ bar) => set(Math.min(from, bar), bar)}
        />`
    }
  </div>`;
}

/**
 * Field for the number of a bar; it takes effect when it is left, or by Enter.
 * @param {{label: string, value: number, max: number, onChange: (bar: number) => void}} props
 */
function BarInput({ label, value, max, onChange }) {
  return html`<input
    class="input bar-input"
    type="number"
    inputmode="numeric"
    min="1"
    max=${max}
    aria-label=${label}
    value=${value}
    onChange=${(/** @type {any} */ event) => {
      const bar = event.currentTarget.valueAsNumber;
      if (bar >= 1 && bar <= max) onChange(Math.round(bar));
      else event.currentTarget.value = String(value);
    }}
  />`;
}

/** @param {{player: SongPlayer, timeline: Timeline}} props */
function ZoomControls({ player, timeline }) {
  const [zoom, most] = [timeline.zoom.value, timeline.maxZoom.value];
  /** @param {-1 | 1} direction */
  const change = (direction) => timeline.zoomBy(direction, player.positionS.value);
  /** @param {Event & {currentTarget: HTMLInputElement}} event */
  const onInput = (event) => timeline.zoomTo(most ** event.currentTarget.valueAsNumber, player.positionS.value);
  return html`
    <${ZoomButton} icon="zoomOut" label=${texts.song.zoomOut} isAtEnd=${zoom <= 1} onClick=${() => change(-1)} />
    <input
      class="zoom-range"
      type="range"
      min="0"
      max="1"
      step="any"
      aria-label=${texts.song.zoom}
      aria-valuetext=${texts.song.zoomText(zoom)}
      value=${most > 1 ? Math.log(zoom) / Math.log(most) : 0}
      onInput=${onInput}
    />
    <${ZoomButton} icon="zoomIn" label=${texts.song.zoomIn} isAtEnd=${zoom >= most} onClick=${() => change(1)} />
  `;
}

/** @param {{icon: string, label: string, isAtEnd: boolean, onClick: () => void}} props */
function ZoomButton({ isAtEnd, ...rest }) {
  return html`<${Button} kind="quiet" aria-disabled=${isAtEnd ? "true" : undefined} ...${rest} />`;
}
