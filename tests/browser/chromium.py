"""Chromium under Playwright, where both are installed."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def chromium() -> str | None:
    """Return the browser of CHROMIUM, or the one on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


def skip_without_browser() -> None:
    """Skip the test where Playwright or Chromium is missing."""
    pytest.importorskip("playwright", reason="Playwright is not installed: pip install playwright")
    if chromium() is None:
        pytest.skip("Chromium is not installed: apt-get install chromium, or name it in CHROMIUM")


@contextmanager
def started() -> Iterator[Playwright]:
    """Run Playwright; skip the test where the browser is missing."""
    skip_without_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@contextmanager
def launched(playwright: Playwright, *options: str) -> Iterator[Browser]:
    """Run Chromium."""
    browser = playwright.chromium.launch(executable_path=chromium(), args=[*OPTIONS, *options])
    try:
        yield browser
    finally:
        browser.close()
