/** Table of the views: the default export of each module is its component. */

import { session } from "./state.js";

/**
 * @typedef {object} View
 * @property {string} name Also of its text and icon in the navigation.
 * @property {RegExp} path Addresses below /studio; its groups are the view's `params`.
 * @property {() => Promise<{default: import("preact").ComponentType<any>}>} load
 * @property {boolean} [isOne] Whether the view stays while its `params` change.
 * @property {string} [link] Address in the navigation; absent for views that others lead to.
 * @property {"read" | "operator"} scope What the session must allow.
 */

const ID = "(?<id>[\\w-]+)";

/** @type {View[]} */
export const VIEWS = [
  {
    name: "songs",
    path: /^\/songs$/,
    scope: "read",
    link: "/songs",
    load: () => import("./views/songs.js"),
  },
  { name: "song", path: RegExp(`^/songs/${ID}$`), scope: "read", load: () => import("./views/song.js") },
  {
    name: "stems",
    path: /^\/stems$/,
    scope: "read",
    link: "/stems",
    load: () => import("./views/stems.js"),
  },
  {
    name: "mashup",
    path: RegExp(`^/mashup(?:/${ID})?$`),
    isOne: true,
    scope: "read",
    link: "/mashup",
    load: () => import("./views/mashup.js"),
  },
  {
    name: "queue",
    path: /^\/queue$/,
    scope: "operator",
    link: "/queue",
    load: () => import("./views/queue.js"),
  },
];

/**
 * Return whether the session allows a view.
 * @param {View} view
 */
export const isAllowed = (view) => session.value?.scopes.includes(view.scope) ?? false;

/** Views of the navigation. */
export const linkedViews = () => VIEWS.filter((view) => view.link && isAllowed(view));

/**
 * Return the view of a path, and the parts of the path that it names.
 * @param {string} path
 */
export function viewOf(path) {
  for (const view of VIEWS) {
    const match = view.path.exec(path);
    if (match) return { view, params: match.groups ?? {} };
  }
  return null;
}
