/** Bar at the top, navigation, notices and the banner of a lost connection. */

import { useState } from "preact/hooks";

import { logOut, notifyError } from "../api.js";
import { html } from "../html.js";
import { href, navigate, path } from "../router.js";
import { chosen, dismiss, notices, online, session } from "../state.js";
import { texts } from "../texts.js";
import { linkedViews } from "../views.js";
import { Button } from "./button.js";
import { Icon } from "./icons.js";

/** @param {{children: any}} props */
export function Shell({ children }) {
  return html`
    <a class="skip" href="#content" onClick=${skip}>${texts.shell.skip}</a>
    <header class="bar">
      <a class="bar-brand" href=${href("/songs")}><${Icon} name="stems" size=${22} />${texts.studio}</a>
      ${session.value && html`<${Tabs} />`}
      <div class="bar-tools">
        <${ThemeButton} />
        ${session.value && html`<${Button} kind="quiet" icon="logout" label=${texts.shell.logout} onClick=${leave} />`}
      </div>
    </header>
    <div role="status">
      ${!online.value && session.value && html`<p class="banner">${texts.errors.lost}</p>`}
    </div>
    ${children}
    <${Notices} />
  `;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.querySelector("h1")?.focus();
}

async function leave() {
  try {
    await logOut();
    navigate("/songs");
  } catch (error) {
    notifyError(error);
  }
}

function Tabs() {
  return html`<nav class="tabs" aria-label=${texts.shell.navigation}>
    ${linkedViews().map(({ name, link = "" }) => {
      const isCurrent = path.value === link || path.value.startsWith(`${link}/`);
      const count = name === "mashup" ? chosen.value.length : 0;
      return html`<a key=${name} href=${href(link)} aria-current=${isCurrent ? "page" : undefined}>
        <${Icon} name=${name} />${texts.shell[/** @type {"songs"} */ (name)]}
        ${
          count > 0 &&
          html`<span class="count" aria-hidden="true">${count}</span>
          <span class="hidden-text">${texts.shell.chosen(count)}</span>`
        }
      </a>`;
    })}
  </nav>`;
}

/** @typedef {"system" | "light" | "dark"} Theme */

/** @type {Record<Theme, {next: Theme, icon: string}>} */
const THEMES = {
  system: { next: "light", icon: "system" },
  light: { next: "dark", icon: "sun" },
  dark: { next: "system", icon: "moon" },
};

function ThemeButton() {
  const chosenTheme = /** @type {Theme} */ (document.documentElement.dataset.theme ?? "system");
  const [theme, setTheme] = useState(chosenTheme);
  const change = () => {
    const { next } = THEMES[theme];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Storage is forbidden in this browser: the theme lasts until the page is closed.
    }
    setTheme(next);
    dispatchEvent(new Event("themechange")); // canvases draw with new colors
  };
  const { icon } = THEMES[theme];
  return html`<${Button} kind="quiet" icon=${icon} label=${texts.shell.theme[theme]} onClick=${change} />`;
}

function Notices() {
  return html`<div class="notices" role="status" aria-live="polite">
    ${notices.value.map(
      ({ id, text, href: address, link }) => html`<div class="notice" key=${id}>
        <span>${text}</span>
        ${address && html`<a href=${address}>${link}</a>`}
        <${Button} kind="quiet" small icon="close" label=${texts.shell.dismiss} onClick=${() => dismiss(id)} />
      </div>`,
    )}
  </div>`;
}
