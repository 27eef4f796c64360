/** Owner of a stem or mashup in words. */

import { session } from "../state.js";
import { texts } from "../texts.js";

/** @param {{user_id: string | null, is_public: boolean}} item */
export function ownerOf({ user_id, is_public }) {
  const isMine = user_id !== null && user_id === session.value?.user_id;
  if (!isMine) return texts.stems.public;
  return is_public ? texts.stems.minePublic : texts.stems.mine;
}
