/** Player of a result: play, position, both sides of the master, and the arrangement below. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { Button } from "../components/button.js";
import { Choices } from "../components/field.js";
import { PlayerWait } from "../components/player-wait.js";
import { Waveform } from "../components/waveform.js";
import { decibels, duration, position } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";
import { barNumber } from "./arrangement.js";
import { LoudnessCurve } from "./loudness-curve.js";
import { MashupPlayer } from "./player.js";
import { Timeline } from "./timeline.js";

/** @import {MashupOutput, Plan} from "./types.js" */
/** @import {Side} from "./loudness.js" */

const STEP_S = 5;
const CONTROLS = "button, a, input, select, textarea, summary, [role='slider'], [role='tab'], dialog";

/** @param {{jobId: string, output: MashupOutput, title: string}} props */
export function Listen({ jobId, output, title }) {
  const player = useMemo(() => new MashupPlayer(jobId, output), [jobId]);
  useEffect(() => () => player.close(), [player]);
  useFrames(player);
  useKeys(player);
  const side = player.side.value;
  const peaks = `/api/jobs/${jobId}/${side === "before" ? "unmastered/" : ""}peaks`;
  const onSeek = (/** @type {number} */ share) => player.seek(share);
  /** @param {any} element Tests reach the transport here. */
  const expose = (element) => element && (element.transport = player.transport);
  return html`<section class="listen" ref=${expose} aria-label=${texts.mashup.player}>
    <div class="listen-bar">
      <${PlayPause} player=${player} title=${title} />
      <span class="listen-time">
        <${Time} player=${player} plan=${output.plan} />
      </span>
      ${player.hasBefore && html`<${Sides} player=${player} output=${output} />`}
    </div>
    ${player.failed.value.map(
      (/** @type {Side} */ one) => html`<p key=${one} class="note note-bad small" role="alert">
        ${texts.player.failed(texts.mashup.sides[one])}
      </p>`,
    )}
    <${PlayerWait} player=${player} />
    <${Timeline} plan=${output.plan} share=${player.share} onSeek=${onSeek}>
      <div class="timeline-row timeline-wave">
        <span class="timeline-name muted">${texts.mashup.sides[side]}</span>
        <div class="timeline-track">
          <${Waveform}
            key=${side}
            url=${peaks}
            title=${title}
            share=${player.share}
            hasCursor=${false}
            isScaled=${false}
            onSeek=${onSeek}
          />
        </div>
      </div>
      ${
        output.report.short_term_lufs.length > 0 &&
        html`<${LoudnessCurve} report=${output.report} durationS=${player.durationS.value} />`
      }
    <//>
  </section>`;
}

/** @param {{player: MashupPlayer, title: string}} props */
function PlayPause({ player, title }) {
  const isPlaying = player.playing.value;
  const isWaiting = isPlaying && player.state.value === "waiting";
  return html`<${Button}
    class="button-play button-big"
    kind="primary"
    icon=${isPlaying ? "pause" : "play"}
    busy=${false}
    label=${isPlaying ? texts.player.pause(title) : texts.player.play(title)}
    aria-busy=${isWaiting ? "true" : undefined}
    disabled=${player.state.value === "failed"}
    onClick=${() => player.toggle()}
  />`;
}

/** @param {{player: MashupPlayer, plan: Plan}} props */
function Time({ player, plan }) {
  const seconds = player.positionS.value;
  return html`${position(seconds)}<span class="muted"> / ${duration(player.durationS.value)}</span>
    <span class="muted small listen-place">${texts.mashup.bar(barNumber(plan, seconds))}</span>`;
}

/** @param {{player: MashupPlayer, output: MashupOutput}} props */
function Sides({ player, output }) {
  const side = player.side.value;
  const gain = 20 * Math.log10(player.gains[side]);
  return html`<div class="listen-sides">
    <${Choices}
      label=${texts.mashup.compare}
      hideLabel
      value=${side}
      onChange=${(/** @type {Side} */ value) => (player.side.value = value)}
      options=${[
        { value: "master", label: texts.mashup.sides.master },
        { value: "before", label: texts.mashup.sides.before },
      ]}
    />
    <label class="check small">
      <input
        type="checkbox"
        checked=${player.isMatched.value}
        onChange=${(/** @type {any} */ event) => (player.isMatched.value = event.currentTarget.checked)}
      />${texts.mashup.matched}
    </label>
    <span class="small muted listen-gain">
      ${
        player.isMatched.value
          ? texts.mashup.gain(decibels(Math.abs(gain) < 0.05 ? 0 : gain))
          : texts.mashup.loudnesses(output.audio.loudness_lufs, output.unmastered?.loudness_lufs ?? null)
      }
    </span>
  </div>`;
}

/** Read the position before each frame while the mashup plays. @param {MashupPlayer} player */
function useFrames(player) {
  useSignalEffect(() => {
    if (!player.playing.value) return undefined;
    let frame = requestAnimationFrame(function tick() {
      player.refresh();
      frame = requestAnimationFrame(tick);
    });
    return () => cancelAnimationFrame(frame);
  });
}

/**
 * Space plays and pauses, left and right move, where no control has the focus.
 * @param {MashupPlayer} player
 */
function useKeys(player) {
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKeyDown = (event) => {
      const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
      const isElsewhere = event.target instanceof Element && event.target.closest(CONTROLS);
      if (hasModifier || isElsewhere || event.defaultPrevented) return;
      if (event.key === " ") player.toggle();
      else if (event.key === "ArrowLeft") player.move(-STEP_S);
      else if (event.key === "ArrowRight") player.move(STEP_S);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, [player]);
}
