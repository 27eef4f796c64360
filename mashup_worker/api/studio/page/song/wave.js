/** Waveform of a lane, drawn by wavesurfer over the shared transport. */

import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import WaveSurfer from "wavesurfer.js";

import { TransportMedia } from "../audio/media.js";
import { drawPeaks } from "../components/waveform.js";
import { html } from "../html.js";
import { loadPeaks } from "../peaks.js";
import { texts } from "../texts.js";

/** @import {SongPlayer, Lane} from "./player.js" */
/** @import {Timeline} from "./timeline.js" */

const HEIGHT_PX = 72;

/** @param {{player: SongPlayer, timeline: Timeline, lane: Lane}} props */
export function LaneWave({ player, timeline, lane }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [surfer, setSurfer] = useState(/** @type {WaveSurfer | null} */ (null));
  const [isMissing, setMissing] = useState(false);
  const isInStep = useRef(false); // before and during a change of zoom, its scroll position is none of ours

  useEffect(() => {
    const container = /** @type {HTMLDivElement} */ (box.current);
    const media = new TransportMedia(player.transport);
    /** @type {WaveSurfer | null} */
    let made = null;
    let isClosed = false;
    loadPeaks(`/api/stems/${lane.stem.id}/peaks`).then(
      ({ max, min, durationS }) => {
        if (isClosed) return;
        made = createSurfer({ container, media, peaks: [max, min], durationS });
        made.on("scroll", (_start, _stop, left) => isInStep.current && timeline.scrollTo(left));
        made.on("ready", () => setSurfer(made));
      },
      () => setMissing(true),
    );
    return () => {
      isClosed = true;
      made?.destroy();
      media.remove();
    };
  }, []);

  useEffect(() => {
    if (!surfer) return undefined;
    return effect(() => {
      const [pxPerS, left] = [timeline.pxPerS.value, timeline.left.value];
      isInStep.current = false;
      if (Math.abs(surfer.options.minPxPerSec - pxPerS) > 1e-6) surfer.zoom(pxPerS);
      if (Math.abs(surfer.getScroll() - left) > 1) surfer.setScroll(left);
      isInStep.current = true;
    });
  }, [surfer]);
  useEffect(() => {
    if (!surfer) return undefined;
    const recolor = () => surfer.setOptions(colorsOf(/** @type {HTMLElement} */ (box.current)));
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", recolor);
    addEventListener("themechange", recolor);
    return () => {
      scheme.removeEventListener("change", recolor);
      removeEventListener("themechange", recolor);
    };
  }, [surfer]);

  return html`<div class="lane-wave" aria-hidden="true">
    <div ref=${box}></div>
    ${!surfer && html`<span class="wave-line"></span>`}
    ${isMissing && html`<span class="lane-missing">${texts.player.noWaveform}</span>`}
  </div>`;
}

/** @param {HTMLElement} element */
function colorsOf(element) {
  const { color } = getComputedStyle(element);
  return { waveColor: color, progressColor: color };
}

/**
 * @param {{container: HTMLElement, media: TransportMedia, peaks: Float32Array[], durationS: number}} options
 */
function createSurfer({ container, media, peaks, durationS }) {
  const nonce = document.querySelector("meta[name='style-nonce']")?.getAttribute("content");
  return WaveSurfer.create({
    container,
    media: /** @type {any} */ (media),
    peaks,
    duration: durationS,
    ...colorsOf(container),
    height: HEIGHT_PX,
    cursorWidth: 0, // one playhead crosses all lanes
    minPxPerSec: 0,
    hideScrollbar: true,
    renderFunction: (channels, context) => {
      const { width, height } = context.canvas;
      drawPeaks(context, width, height, channels[0], channels[1]);
    },
    autoScroll: false,
    cspNonce: nonce ?? undefined,
  });
}
