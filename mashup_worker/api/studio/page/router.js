/** Addresses below /studio, without loads of the page. */

import { signal } from "@preact/signals";

const ROOT = "/studio";

/** Path below /studio, such as `/songs`. */
export const path = signal(currentPath());

/** Query of the address, such as `?kind=drums`. */
export const search = signal(location.search);

/** Whether the user has changed the view, so that its heading gets the focus. */
export let hasNavigated = false;

function currentPath() {
  const below = location.pathname.slice(ROOT.length).replace(/\/+$/, "");
  return below || "/songs";
}

/**
 * Return the address of a path below /studio.
 * @param {string} below
 */
export const href = (below) => ROOT + below;

/**
 * Show the view of an address.
 * @param {string} below Path below /studio.
 * @param {{replace?: boolean}} [options] Whether the address replaces the present one.
 */
export function navigate(below, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href(below));
  hasNavigated = true;
  readAddress();
  scrollTo(0, 0);
}

/**
 * Store the state of the present view in the address, without a move of focus or scroll position.
 * @param {string} below Path below /studio, with its query.
 */
export function replaceAddress(below) {
  history.replaceState(null, "", href(below));
  readAddress();
}

function readAddress() {
  search.value = location.search;
  path.value = currentPath();
}

/** Let links and the browser's buttons change the view. */
export function startRouter() {
  addEventListener("popstate", () => {
    hasNavigated = true;
    readAddress();
  });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || !isOurs(link, event)) return;
    event.preventDefault();
    const { pathname, search: query } = link;
    const isSame = pathname === location.pathname && query === location.search;
    if (!isSame) navigate(pathname.slice(ROOT.length) + query);
  });
}

/** @param {HTMLAnchorElement} link @param {MouseEvent} event */
function isOurs(link, event) {
  const isPlain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  const isBelow = link.pathname === ROOT || link.pathname.startsWith(`${ROOT}/`);
  return (
    isPlain &&
    event.button === 0 &&
    !event.defaultPrevented &&
    !link.target &&
    !link.hasAttribute("download") &&
    !link.hash &&
    link.origin === location.origin &&
    isBelow
  );
}
