/** Templates: `html` makes elements of Preact from tagged template literals. */

import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
