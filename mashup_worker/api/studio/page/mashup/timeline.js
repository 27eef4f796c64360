/** Arrangement of a mashup on a timeline: sections, transitions, and clips of each stem. */

import { useMemo, useRef, useState } from "preact/hooks";

import { html } from "../html.js";
import { texts } from "../texts.js";
import { rowsOf, sectionsOf, transitionsOf } from "./arrangement.js";

/** @import {ClipBox, Row} from "./arrangement.js" */
/** @import {Plan} from "./types.js" */

/** @param {{left: number, width?: number}} place */
const placed = ({ left, width }) => ({
  left: `${left * 100}%`,
  ...(width === undefined ? {} : { width: `${width * 100}%` }),
});

/**
 * @param {object} props
 * @param {Plan} props.plan
 * @param {import("@preact/signals").ReadonlySignal<number>} props.share Position, 0 to 1.
 * @param {(share: number) => void} props.onSeek
 * @param {any} props.children Waveform above the clips.
 */
export function Timeline({ plan, share, onSeek, children }) {
  const rows = useMemo(() => rowsOf(plan), [plan]);
  const [shown, setShown] = useState(/** @type {ClipBox | null} */ (null));
  const grid = useRef(/** @type {HTMLDivElement | null} */ (null));
  const clips = rows.flatMap((row) => row.clips);
  const [current, setCurrent] = useState(0);

  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const next = neighbor(rows, clips[current], event.key);
    if (!next) return;
    event.preventDefault();
    setCurrent(clips.indexOf(next));
    grid.current?.querySelectorAll("button")[clips.indexOf(next)]?.focus();
  };
  const hasOneTempo = !plan.grid.tempo_changes?.length;
  const phrases = { "--phrase": hasOneTempo ? `${400 / plan.grid.bars}%` : "100%" };
  return html`<div class="timeline" style=${phrases}>
    <div class="timeline-body">
      ${children}
      <${Ruler} plan=${plan} />
      <div ref=${grid} role="group" aria-label=${texts.arrangement.label} onKeyDown=${onKeyDown}>
        ${rows.map(
          (row, at) => html`<${TimelineRow}
            key=${row.name}
            row=${row}
            startsSong=${rows[at - 1]?.song !== row.song}
            current=${clips[current]}
            onShow=${setShown}
            onPick=${(/** @type {ClipBox} */ box) => {
              setCurrent(clips.indexOf(box));
              onSeek(box.left);
            }}
          />`,
        )}
      </div>
      <${Playhead} share=${share} />
    </div>
    <p class="timeline-detail small" aria-hidden="true">${shown?.words ?? texts.arrangement.hint}</p>
  </div>`;
}

/** @param {{plan: Plan}} props */
function Ruler({ plan }) {
  const sections = useMemo(() => sectionsOf(plan), [plan]);
  const changes = useMemo(() => transitionsOf(plan), [plan]);
  return html`
    <div class="timeline-row timeline-sections">
      <span class="timeline-name muted">${texts.arrangement.sectionRow}</span>
      <div class="timeline-track">
        ${sections.map(
          ({
            name,
            bars,
            why,
            ...place
          }) => html`<span class="section" style=${placed(place)} title=${`${name}, ${bars}${why}`}>
            <span class="ellipsis">${name}</span><span class="hidden-text">, ${bars}${why}</span>
          </span>`,
        )}
      </div>
    </div>
    ${
      changes.length > 0 &&
      html`<div class="timeline-row timeline-transitions">
      <span class="timeline-name muted">${texts.arrangement.transitionRow}</span>
      <div class="timeline-track">
        ${changes.map(
          ({ words, ...place }) => html`<span class="transition" style=${placed(place)} title=${words}>
            <span class="hidden-text">${words}</span>
          </span>`,
        )}
      </div>
    </div>`
    }
  `;
}

/**
 * @param {object} props
 * @param {Row} props.row
 * @param {boolean} props.startsSong
 * @param {ClipBox} props.current Clip that has the tab stop.
 * @param {(box: ClipBox | null) => void} props.onShow
 * @param {(box: ClipBox) => void} props.onPick
 */
function TimelineRow({ row, startsSong, current, onShow, onPick }) {
  const kind = texts.kinds[row.kind] ?? row.kind;
  return html`
    ${startsSong && html`<p class="timeline-song small">${row.song}</p>`}
    <div class="timeline-row" data-stem=${row.kind}>
      <span class="timeline-name"><span class="dot"></span>${kind}</span>
      <div class="timeline-track">
        ${row.clips.map(
          (box) => html`<button
            type="button"
            class="clip"
            style=${{ ...placed(box), ...fades(box) }}
            aria-label=${box.words}
            tabindex=${box === current ? 0 : -1}
            onClick=${() => onPick(box)}
            onFocus=${() => onShow(box)}
            onBlur=${() => onShow(null)}
            onPointerEnter=${() => onShow(box)}
            onPointerLeave=${() => onShow(null)}
          ></button>`,
        )}
      </div>
    </div>
  `;
}

/** @param {ClipBox} box */
function fades({ clip }) {
  const share = (/** @type {number} */ bars) => `${(100 * bars) / clip.bars}%`;
  return { "--fade-in": share(clip.fade_in_bars), "--fade-out": share(clip.fade_out_bars) };
}

/** @param {{share: import("@preact/signals").ReadonlySignal<number>}} props */
function Playhead({ share }) {
  return html`<div class="timeline-playhead" aria-hidden="true">
    <div class="wave-cursor" style=${{ transform: `translateX(${share.value * 100}%)` }}></div>
  </div>`;
}

/**
 * Return the clip to which a key moves.
 * @param {Row[]} rows @param {ClipBox} from @param {string} key
 */
function neighbor(rows, from, key) {
  const at = rows.findIndex((row) => row.clips.includes(from));
  const { clips } = rows[at];
  const index = clips.indexOf(from);
  switch (key) {
    case "ArrowLeft":
      return clips[index - 1];
    case "ArrowRight":
      return clips[index + 1];
    case "Home":
      return clips[0];
    case "End":
      return clips[clips.length - 1];
    case "ArrowUp":
      return nearest(rows[at - 1]?.clips, from);
    case "ArrowDown":
      return nearest(rows[at + 1]?.clips, from);
    default:
      return undefined;
  }
}

/** @param {ClipBox[] | undefined} clips @param {ClipBox} from */
const nearest = (clips, from) =>
  clips?.reduce((best, one) =>
    Math.abs(one.left - from.left) < Math.abs(best.left - from.left) ? one : best,
  );
