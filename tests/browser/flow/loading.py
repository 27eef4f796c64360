"""How a view of the studio loads: its paints, its scripts, and how far its layout shifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

IS_COMPLETE = """() => {
  const waiting = document.querySelectorAll(".skeleton, .wave-line, [aria-busy=true]");
  const isInView = ({ top, bottom }) => top < innerHeight && bottom > 0;
  const inView = [...waiting].filter((one) => isInView(one.getBoundingClientRect()));
  return document.querySelector("main h1") && !inView.length;
}"""
"""Whether a view is complete; waveforms outside of the window load when they are scrolled to."""

_OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries())).observe({
  type: "layout-shift", buffered: true,
});"""

_READ = r"""() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const loaded = performance.getEntriesByType("resource");
  const scripts = loaded.filter(({ name }) => /\.m?js$/.test(name));
  const bytes = (entries, field) => entries.reduce((sum, entry) => sum + entry[field], 0);
  const early = scripts.filter(({ responseEnd }) => responseEnd <= paint);
  return {
    paint_s: paint / 1000,
    complete_s: performance.now() / 1000,
    early_bytes: bytes(early, "encodedBodySize"),
    script_bytes: bytes(scripts, "encodedBodySize"),
    source_bytes: bytes(scripts, "decodedBodySize"),
    shift: window.shifts.reduce((sum, { value }) => sum + value, 0),
  };
}"""


@dataclass(frozen=True)
class Loading:
    """Measurements of a load.

    Attributes:
        paint_s: time from the start of the load to the first paint with content.
        complete_s: the same to the complete view.
        early_bytes: compressed bytes of the scripts that had arrived at that paint.
        script_bytes, source_bytes: bytes of all scripts, compressed and not.
        shift: sum of all layout shifts.
    """

    paint_s: float
    complete_s: float
    early_bytes: int
    script_bytes: int
    source_bytes: int
    shift: float


def observe(page: Page) -> None:
    """Observe the loads of a page from now on."""
    page.add_init_script(_OBSERVE)


def load(page: Page, url: str) -> Loading:
    """Load a view, and wait until it is complete."""
    page.goto(url)
    page.wait_for_function(IS_COMPLETE)
    return Loading(**page.evaluate(_READ))
