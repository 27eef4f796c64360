"""Pages of the studio, whose errors and breaches of the content security policy fail the test."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, CDPSession, Locator, Page
    from playwright.sync_api._generated import LocatorAssertions

TIMEOUT_MS = 120_000
"""Time for any single step, of which a busy machine may need much."""

_INIT = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""

_RECORD = """() => {
  window.progress = [];
  const read = () => {
    for (const { innerText } of document.querySelectorAll(".progress-text")) {
      if (window.progress.at(-1) !== innerText) window.progress.push(innerText);
    }
  };
  new MutationObserver(read).observe(document.body, {
    subtree: true, childList: true, characterData: true,
  });
}"""

_HEARD = """([selector, track, frequency_hz]) => {
  const { transport } = document.querySelector(selector);
  if (transport.state !== "playing") return false;
  const analyser = transport.analyser(track);
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.smoothingTimeConstant = 0;
  analyser.getFloatFrequencyData(levels);
  const bin = Math.round((frequency_hz * analyser.fftSize) / analyser.context.sampleRate);
  return levels[bin] > -70 && [-4, 4].every((away) => levels[bin] > levels[bin + away] + 12);
}"""

_IN_STEP = """([selector, track]) => {
  const { transport } = document.querySelector(selector);
  if (transport.state !== "playing") return (window.since = null);
  const now = [transport.positionS, transport.analyser(track).context.currentTime];
  window.since ??= now;
  const [moved, passed] = now.map((seconds, index) => seconds - window.since[index]);
  if (passed < 1) return false;
  window.since = null; // it has waited for data in between, or is not in step
  return Math.abs(moved - passed) < 1e-3;
}"""


class Visitor:
    """Browser of one person: a context of its own with its pages."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(TIMEOUT_MS)
        self.context.add_init_script(_INIT)
        self.faults: list[str] = []
        self._is_watched = True
        self.context.on("page", self._watch)

    def visit(self, url: str) -> Page:
        """Open a tab."""
        page = self.context.new_page()
        page.goto(url)
        return page

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Overlook what tools that change the page cause, such as those that take pictures."""
        self._is_watched = False
        yield
        self._is_watched = True

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self._read(message.text))

    def _read(self, text: str) -> None:
        is_breach = text.startswith("policy:") or "Content Security Policy" in text
        if is_breach and self._is_watched:
            self.faults.append(text)


def expect(locator: Locator) -> LocatorAssertions:
    """Return the assertions of a locator, which wait long; Playwright may be missing."""
    from playwright.sync_api import expect

    expect.set_options(timeout=TIMEOUT_MS)
    return expect(locator)


def throttle(page: Page, bytes_per_s: float) -> CDPSession:
    """Send uploads of a page at a rate, so that their progress is seen; `detach` ends it."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s},
    )
    return devtools


def record_progress(page: Page) -> None:
    """Note all texts of progress bars from now on."""
    page.evaluate(_RECORD)


def recorded_progress(page: Page) -> list[tuple[str, int | None]]:
    """Return the texts of progress bars in their order, with their percentages."""
    found = []
    for text in page.evaluate("window.progress"):
        what, _, share = text.partition("\n")
        number = re.match(r"\d+", share)
        found.append((what, int(number[0]) if number else None))
    return found


def wait_until_heard(page: Page, selector: str, track: str, frequency_hz: float) -> None:
    """Wait until a track of an element's transport plays a tone."""
    page.wait_for_function(_HEARD, arg=[selector, track, frequency_hz])


def wait_until_in_step(page: Page, selector: str, track: str) -> None:
    """Wait until the position of a transport has moved for a second exactly as the audio clock."""
    page.wait_for_function(_IN_STEP, arg=[selector, track])
