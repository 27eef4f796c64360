"""Time to the first paint of the studio's views, their scripts and layout shifts, in Chromium.

    python -m benchmarks.studio [--runs N]

A service on this machine serves a library of twelve songs. Needs Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import publish, table
from tests.browser.chromium import launched, started
from tests.browser.flow.loading import load, observe
from tests.browser.flow.service import StudioService
from tests.e2e.service import running_service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, StorageState

    from tests.browser.flow.loading import Loading

VIEWS = {
    "login": "",
    "songs": "/songs",
    "song": "/songs/{song}",
    "stems": "/stems",
    "mashup": "/mashup",
    "queue": "/queue",
}
SONGS, SONG_S = 12, 30.0


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    with (
        tempfile.TemporaryDirectory(prefix="mashup-studio-") as folder,
        started() as playwright,
        launched(playwright) as browser,
    ):
        Path(folder).chmod(0o755)  # Postgres runs as another user
        with running_service(Path(folder), processes=1) as one:
            service = StudioService(one.folder, one.facts, one.environment)
            loadings = measured(browser, service, runs)
    publish(
        "studio",
        f"Views of a library of {SONGS} songs in a new browser each time, over loopback, at 1,280 "
        "by 800 pixels. Times from the start of the load to the first paint with content, and to "
        "the complete view with its data and waveforms. Scripts that had arrived at that paint, "
        "and all of the view, compressed as sent. Shift is the largest sum of layout shifts.",
        table(
            (
                *("view", "first paint, median s", "longest s", "complete, median s"),
                *("script before the paint, kB", "all script, kB", "shift"),
            ),
            [row(name, found) for name, found in loadings.items()],
        ),
    )


def measured(browser: Browser, service: StudioService, runs: int) -> dict[str, list[Loading]]:
    """Load each view again and again; the first load of each warms up."""
    user = service.new_user("studio")
    songs = [service.add_song(user, f"Song {n}", duration_s=SONG_S) for n in range(SONGS)]
    session = logged_in(browser, service.login_link(user, operator=True))
    return {
        name: [
            loaded(
                browser,
                service.url + path.format(song=songs[0]),
                None if name == "login" else session,
            )
            for _ in range(runs + 1)
        ][1:]
        for name, path in VIEWS.items()
    }


def logged_in(browser: Browser, link: str) -> StorageState:
    """Return the cookie of a new session."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.get_by_role("link", name="Queue").wait_for()
    state = context.storage_state()
    context.close()
    return state


def loaded(browser: Browser, url: str, session: StorageState | None) -> Loading:
    """Load a view in a browser without a cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=session)
    page = context.new_page()
    observe(page)
    loading = load(page, url)
    context.close()
    return loading


def row(name: str, loadings: list[Loading]) -> tuple[str, ...]:
    """Return the cells of a view."""
    paints_s = [one.paint_s for one in loadings]
    return (
        name,
        f"{statistics.median(paints_s):.2f}",
        f"{max(paints_s):.2f}",
        f"{statistics.median(one.complete_s for one in loadings):.2f}",
        f"{max(one.early_bytes for one in loadings) / 1_000:.0f}",
        f"{max(one.script_bytes for one in loadings) / 1_000:.0f}",
        f"{max(one.shift for one in loadings):.3f}",
    )


if __name__ == "__main__":
    main()
