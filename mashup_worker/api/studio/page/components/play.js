/** Button that plays a song or stem in place. */

import { html } from "../html.js";
import { preview, stopPreview, togglePreview } from "../preview.js";
import { texts } from "../texts.js";
import { Button } from "./button.js";

/** @param {{item: import("../preview.js").Playable, disabled?: boolean}} props */
export function PlayButton({ item, disabled }) {
  const state = preview.value?.id === item.id ? preview.value.state : null;
  const isPlaying = state === "playing" || state === "loading";
  const label =
    state === "failed"
      ? texts.player.failed(item.title)
      : isPlaying
        ? texts.player.pause(item.title)
        : texts.player.play(item.title);
  return html`<${Button}
    class="button-play"
    icon=${state === "failed" ? "warning" : isPlaying ? "pause" : "play"}
    label=${label}
    disabled=${disabled}
    aria-pressed=${isPlaying ? "true" : "false"}
    onClick=${() => (state === "loading" ? stopPreview() : togglePreview(item))}
  />`;
}
