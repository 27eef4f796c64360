/** Buttons, and links that look like them. */

import { html } from "../html.js";
import { Icon } from "./icons.js";

/**
 * @typedef {object} ButtonProps
 * @property {any} [children] Text.
 * @property {string} [label] Name for screen readers, in place of the text; needed without text.
 * @property {string} [icon]
 * @property {"primary" | "quiet" | "danger"} [kind]
 * @property {boolean} [small]
 * @property {boolean} [busy] Whether the action runs, so that it must not start again.
 * @property {boolean} [once] Whether a double click, or a key that is held, starts the action once.
 * @property {string} [href] Address: the button is a link.
 */

/** @param {ButtonProps & Record<string, any>} props */
export function Button({ children, label, icon, kind, small, busy, once, href, class: more, ...rest }) {
  const hasText = children !== undefined && children !== null;
  const names = [
    "button",
    kind && `button-${kind}`,
    small && "button-small",
    !hasText && "button-icon",
    more,
  ];
  const content = html`
    ${busy && html`<span class="spinner" aria-hidden="true"></span>`}
    ${icon && !busy && html`<${Icon} name=${icon} size=${small ? 16 : 20} />`}
    ${children}
  `;
  /** @type {Record<string, any>} */
  const common = { class: names.filter(Boolean).join(" "), "aria-label": label, ...rest };
  if (!hasText && label) common.title ??= label;
  if (href) return html`<a href=${href} ...${common}>${content}</a>`;
  // A disabled button would lose the focus.
  const onClick = busy ? undefined : once ? firstOf(rest.onClick) : rest.onClick;
  const onKeyDown = once ? stopRepeats : rest.onKeyDown;
  const isDisabled = busy ? "true" : rest["aria-disabled"];
  return html`<button type="button" ...${common} onClick=${onClick} onKeyDown=${onKeyDown} aria-disabled=${isDisabled}>
    ${content}
  </button>`;
}

/**
 * Return a handler without the later clicks of a double click.
 * @param {((event: MouseEvent) => void) | undefined} onClick
 */
const firstOf = (onClick) => (/** @type {MouseEvent} */ event) => {
  if (event.detail > 1) event.preventDefault();
  else onClick?.(event);
};

/** @param {KeyboardEvent} event */
function stopRepeats(event) {
  if (event.repeat && event.key === "Enter") event.preventDefault();
}
