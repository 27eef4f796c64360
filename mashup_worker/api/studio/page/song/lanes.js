/** Lanes of a song: a ruler, and for each stem its mixer and its waveform. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Button } from "../components/button.js";
import { ChoiceButton } from "../components/choice.js";
import { percent } from "../format.js";
import { html } from "../html.js";
import { stemChoice } from "../state.js";
import { texts } from "../texts.js";
import { Meter } from "./meter.js";
import { Ruler } from "./ruler.js";
import { LaneWave } from "./wave.js";

/** @import {BeatGrid} from "./grid.js" */
/** @import {Lane, SongPlayer} from "./player.js" */
/** @import {Timeline} from "./timeline.js" */

const WHEEL_ZOOM = 1.005; // for a pixel

/**
 * @param {object} props
 * @param {SongPlayer} props.player
 * @param {BeatGrid} props.grid
 * @param {Timeline} props.timeline
 * @param {string} props.title Of the song.
 * @param {() => void} props.onReload Loads all stems again.
 */
export function Lanes({ player, grid, timeline, title, onReload }) {
  const overlay = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (overlay.current);
    const observer = new ResizeObserver(() => timeline.resize(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useWheelZoom(overlay, timeline);
  return html`<div class="lanes">
    <div class="lane lane-top">
      <div class="lane-head"></div>
      <${Ruler} player=${player} grid=${grid} timeline=${timeline} />
    </div>
    <ul aria-label=${texts.song.stems}>
      ${player.lanes.value.map(
        (lane, index) => html`<${StemLane}
          key=${lane.id}
          ...${{ player, timeline, lane, title, onReload, number: index + 1 }}
        />`,
      )}
    </ul>
    <div class="lanes-overlay" ref=${overlay}>
      <${LoopRange} player=${player} timeline=${timeline} />
      <${Playhead} player=${player} timeline=${timeline} />
    </div>
    <${Scrollbar} timeline=${timeline} />
  </div>`;
}

/**
 * Zoom at the pointer with Ctrl and the wheel, or by pinching a touchpad.
 * @param {import("preact").RefObject<HTMLDivElement | null>} overlay Covers the waveforms.
 * @param {Timeline} timeline
 */
function useWheelZoom(overlay, timeline) {
  useEffect(() => {
    const lanes = overlay.current?.parentElement;
    /** @param {WheelEvent} event */
    const onWheel = (event) => {
      if (!event.ctrlKey || !overlay.current) return;
      event.preventDefault(); // else the browser zooms the page
      const x = event.clientX - overlay.current.getBoundingClientRect().left;
      timeline.zoomTo(timeline.zoom.value * WHEEL_ZOOM ** -event.deltaY, timeline.timeAt(x));
    };
    lanes?.addEventListener("wheel", onWheel, { passive: false });
    return () => lanes?.removeEventListener("wheel", onWheel);
  }, []);
}

/**
 * @param {{player: SongPlayer, timeline: Timeline, lane: Lane, title: string, number: number,
 *     onReload: () => void}} props
 */
function StemLane({ player, timeline, lane, title, number, onReload }) {
  const { id, stem, gain, muted, solo, failed } = lane;
  const name = texts.kinds[id] ?? id;
  const isHeard = player.audible.value.has(id);
  return html`<li class=${`lane ${isHeard ? "" : "is-silent"}`} data-stem=${id}>
    <div class="lane-head">
      <div class="lane-name">
        <span class="dot" aria-hidden="true"></span>
        <span class="ellipsis">${name}</span>
        <${Meter} player=${player} id=${id} />
      </div>
      <div class="lane-mix">
        <${Button}
          small
          class="lane-button"
          aria-pressed=${muted ? "true" : "false"}
          label=${texts.song.mute(name)}
          title=${texts.song.muteKey(number)}
          onClick=${() => player.toggleMuted(id)}
          >M<//
        >
        <${Button}
          small
          class="lane-button lane-solo"
          aria-pressed=${solo ? "true" : "false"}
          label=${texts.song.solo(name)}
          title=${texts.song.soloKey(number)}
          onClick=${() => player.toggleSolo(id)}
          >S<//
        >
        <input
          type="range"
          min="0"
          max="1"
          step="0.01"
          value=${gain}
          aria-label=${texts.song.volume(name)}
          aria-valuetext=${percent(gain)}
          onInput=${(/** @type {any} */ event) => player.setGain(id, event.currentTarget.valueAsNumber)}
          onDblClick=${() => player.setGain(id, 1)}
        />
      </div>
      <div class="lane-tools">
        <${ChoiceButton} item=${stemChoice(stem, title)} name=${`${title} - ${name}`} iconOnly />
        <${Button}
          small
          kind="quiet"
          icon="download"
          label=${texts.song.download(name)}
          href=${`/api/stems/${stem.id}/audio`}
          download=${`${title} - ${id}.flac`}
        />
      </div>
    </div>
    <${LaneWave} player=${player} timeline=${timeline} lane=${lane} />
    ${
      failed &&
      html`<div class="lane-failed">
      <span role="alert">${texts.song.stemFailed(name)}</span>
      <${Button} small icon="retry" onClick=${onReload}>${texts.song.loadAgain}<//>
    </div>`
    }
  </li>`;
}

/** @param {{player: SongPlayer, timeline: Timeline}} props */
function Playhead({ player, timeline }) {
  const line = useRef(/** @type {HTMLDivElement | null} */ (null));
  useSignalEffect(() => {
    const x = timeline.xOf(player.positionS.value);
    if (line.current) line.current.style.transform = `translateX(${x}px)`;
  });
  return html`<div class="playhead" ref=${line}></div>`;
}

/** @param {{player: SongPlayer, timeline: Timeline}} props */
function LoopRange({ player, timeline }) {
  const loop = player.loop.value;
  if (!loop) return null;
  const left = timeline.xOf(loop.startS);
  const width = timeline.xOf(loop.endS) - left;
  return html`<div class="loop-range" style=${{ transform: `translateX(${left}px)`, width: `${width}px` }}></div>`;
}

/** Scroll bar of all lanes. @param {{timeline: Timeline}} props */
function Scrollbar({ timeline }) {
  const bar = useRef(/** @type {HTMLDivElement | null} */ (null));
  const width = timeline.contentWidth.value;
  useSignalEffect(() => {
    void timeline.contentWidth.value;
    const left = timeline.left.value;
    if (bar.current && Math.abs(bar.current.scrollLeft - left) > 1) bar.current.scrollLeft = left;
  });
  /** @param {any} event */
  const onScroll = (event) => timeline.scrollTo(event.currentTarget.scrollLeft);
  const isNeeded = timeline.zoom.value > 1;
  return html`<div
    class="lanes-scroll"
    ref=${bar}
    role="group"
    aria-label=${texts.song.scroll}
    tabindex=${isNeeded ? 0 : -1}
    onScroll=${onScroll}
  >
    <div style=${{ width: `${width}px` }}></div>
  </div>`;
}
