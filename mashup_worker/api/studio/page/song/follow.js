/** Position of a player on the page: read before each frame, and kept in view. */

import { effect } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** @import {SongPlayer} from "./player.js" */
/** @import {Timeline} from "./timeline.js" */

/**
 * Follow a player while it plays. Who scrolls away is left alone until the position is in view.
 * @param {SongPlayer} player
 * @param {Timeline} timeline
 */
export function useFollow(player, timeline) {
  useEffect(
    () =>
      effect(() => {
        if (!player.playing.value) return undefined;
        let frame = 0;
        let isFollowing = true;
        let lastLeft = timeline.left.peek();
        const tick = () => {
          player.refresh();
          const x = timeline.xOf(player.positionS.peek());
          const isVisible = x >= 0 && x <= timeline.width.peek();
          if (timeline.left.peek() !== lastLeft || isVisible) isFollowing = isVisible;
          if (isFollowing) timeline.show(player.positionS.peek());
          lastLeft = timeline.left.peek();
          frame = requestAnimationFrame(tick);
        };
        frame = requestAnimationFrame(tick);
        return () => cancelAnimationFrame(frame);
      }),
    [player, timeline],
  );
}
