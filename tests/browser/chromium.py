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


@contextmanager
def started() -> Iterator[Playwright]:
    """Run Playwright; skip the test where it is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("Playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        yield playwright


@contextmanager
def launched(playwright: Playwright, *options: str) -> Iterator[Browser]:
    """Run Chromium; skip the test where it is missing."""
    path = chromium()
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium, or name it in CHROMIUM")
    browser = playwright.chromium.launch(executable_path=path, args=[*OPTIONS, *options])
    try:
        yield browser
    finally:
        browser.close()
