/** Start of the page: the shell around the view of the address. */

import { effect } from "@preact/signals";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { ApiError, loadSession, logIn } from "./api.js";
import { ErrorNote } from "./components/error.js";
import { Page } from "./components/page.js";
import { Shell } from "./components/shell.js";
import { html } from "./html.js";
import { href, navigate, path, startRouter } from "./router.js";
import { online, session } from "./state.js";
import { texts } from "./texts.js";
import { isAllowed, linkedViews, viewOf } from "./views.js";
import { Login } from "./views/login.js";

/** Pause between tries to reach a server that does not answer. */
const RETRY_MS = 3_000;

/** Credentials of the address's fragment, which leave the address at once. */
function takeCredentials() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const code = fragment.get("login") ?? undefined;
  const accessToken = fragment.get("access_token") ?? undefined;
  if (code || accessToken) history.replaceState(null, "", location.pathname + location.search);
  return code || accessToken ? { code, accessToken } : null;
}

function App() {
  const [failure, setFailure] = useState(/** @type {unknown} */ (null));

  const pending = useRef(/** @type {ReturnType<typeof takeCredentials>} */ (null));

  const start = async () => {
    const credentials = takeCredentials() ?? pending.current;
    pending.current = credentials;
    try {
      await (credentials ? logIn(credentials) : loadSession());
      pending.current = null;
      setFailure(null);
    } catch (error) {
      const isAnswered = error instanceof ApiError && error.status >= 400 && error.status < 500;
      if (isAnswered) pending.current = null; // another try would fail too
      if (isAnswered && credentials) await loadSession().catch(() => (session.value = null));
      if (!session.value) setFailure(error);
    }
  };

  useEffect(() => {
    void start();
    const again = () => {
      // Another tab may have logged in meanwhile, or this tab got a login link.
      if (location.hash || session.value === null) void start();
    };
    const onShow = () => document.visibilityState === "visible" && again();
    document.addEventListener("visibilitychange", onShow);
    addEventListener("hashchange", again);
    const stopTrying = effect(() => {
      if (online.value) return undefined;
      const timer = setInterval(start, RETRY_MS);
      return () => clearInterval(timer);
    });
    return () => {
      stopTrying();
      document.removeEventListener("visibilitychange", onShow);
      removeEventListener("hashchange", again);
    };
  }, []);

  return html`<${Shell}><${Content} failure=${failure} onRetry=${start} /><//>`;
}

/** @param {{failure: unknown, onRetry: () => void}} props `failure`: of the first call, or of the login. */
function Content({ failure, onRetry }) {
  if (session.value) return html`<${CurrentView} />`;
  if (session.value === null) return html`<${Login} refusal=${failure} />`;
  if (!failure) return html`<${Loading} />`;
  return html`<${Page} title=${texts.studio}>
    <${ErrorNote} error=${failure} onRetry=${onRetry} />
  <//>`;
}

function Loading() {
  return html`<main class="page" aria-busy="true">
    <span class="hidden-text">${texts.shell.loading}</span>
  </main>`;
}

function CurrentView() {
  const found = viewOf(path.value);
  if (!found) return html`<${UnknownPage} />`;
  const { view, params } = found;
  const [first] = linkedViews();
  if (view.scope === "read" && !isAllowed(view) && first) return html`<${Redirect} to=${first.link} />`;
  const key = view.isOne ? view.name : view.name + JSON.stringify(params);
  return html`<${LoadedView} key=${key} view=${view} params=${params} />`;
}

/** In place of a view that the session does not allow, such as the songs for an operator.
 * @param {{to?: string}} props */
function Redirect({ to = "" }) {
  useEffect(() => navigate(to, { replace: true }), [to]);
  return html`<${Loading} />`;
}

/** @param {{view: import("./views.js").View, params: Record<string, string>}} props */
function LoadedView({ view, params }) {
  const [Component, setComponent] = useState(/** @type {any} */ (null));
  const [isMissing, setMissing] = useState(false);
  useEffect(() => {
    view.load().then(
      (module) => setComponent(() => module.default),
      () => setMissing(true),
    );
  }, [view]);
  if (Component) return html`<${Component} ...${params} />`;
  if (!isMissing) return html`<${Loading} />`;
  // A module that failed to load stays failed until the page is loaded again.
  return html`<${Page} title=${texts.errors.view}>
    <button class="button" onClick=${() => location.reload()}>${texts.errors.reload}</button>
  <//>`;
}

function UnknownPage() {
  return html`<${Page} title=${texts.unknown.title}>
    <p>${texts.unknown.text} <a href=${href("/songs")}>${texts.unknown.back}</a></p>
  <//>`;
}

const root = /** @type {HTMLElement} */ (document.getElementById("studio"));
root.replaceChildren();
startRouter();
render(html`<${App} />`, root);
