/** Icons, which are hidden from screen readers: buttons have names. */

import { html } from "../html.js";

/** @type {Record<string, string>} Paths in a square of 24, drawn as lines of 2. */
const LINES = {
  songs: "M9 18V5l11-2v13M9 18a3 3 0 1 1-6 0 3 3 0 0 1 6 0m11-2a3 3 0 1 1-6 0 3 3 0 0 1 6 0",
  stems: "M4 10v4M8 6v12M12 9v6M16 4v16M20 10v4",
  mashup:
    "M3 7h4c5 0 5 10 10 10h4m-3-3 3 3-3 3M3 17h4c1.6 0 2.7-1 3.6-2.4M21 7h-4c-1.6 0-2.7 1-3.6 2.4M18 4l3 3-3 3",
  queue: "M4 6h16M4 12h10M4 18h6m8-5v7m-3-3 3 3 3-3",
  upload: "M12 16V4m-5 5 5-5 5 5M4 16v4h16v-4",
  download: "M12 4v12m-5-5 5 5 5-5M4 16v4h16v-4",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  check: "m4 12.5 5.5 5.5L20 7",
  close: "m6 6 12 12M18 6 6 18",
  retry: "M4 12a8 8 0 1 1 2.3 5.7M4 20v-5h5",
  loop: "M17 3l4 4-4 4M3 11V9a2 2 0 0 1 2-2h16M7 21l-4-4 4-4m14 0v2a2 2 0 0 1-2 2H3",
  zoomIn: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14m5 12 5 5M11 8v6m-3-3h6",
  zoomOut: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14m5 12 5 5M8 11h6",
  keyboard: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7 14h10",
  back: "M19 12H5m6-7-7 7 7 7",
  earlier: "m14 6-6 6 6 6",
  later: "m10 6 6 6-6 6",
  logout: "M10 4H5v16h5m4-12 4 4-4 4m4-4H9",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8m0-6v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.4m11.2 11.2L19 19m0-14-1.4 1.4M6.4 17.6 5 19",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5",
  system: "M3 4h18v12H3zM9 20h6m-3-4v4",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  warning: "M12 3 2 20h20zM12 10v4m0 3h.01",
};

/** @type {Record<string, string>} Paths that are filled. */
const SHAPES = {
  play: "M7 4.5v15l13-7.5z",
  pause: "M6 4h4.5v16H6zM13.5 4H18v16h-4.5z",
  stop: "M5 5h14v14H5z",
  start: "M5 4h3v16H5zM20 4.5v15L9 12z",
};

/** @param {{name: string, size?: number}} props */
export function Icon({ name, size = 20 }) {
  const isShape = name in SHAPES;
  return html`<svg
    width=${size}
    height=${size}
    viewBox="0 0 24 24"
    fill=${isShape ? "currentColor" : "none"}
    stroke=${isShape ? "none" : "currentColor"}
    stroke-width="2"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
    focusable="false"
  >
    <path d=${SHAPES[name] ?? LINES[name]} />
  </svg>`;
}
