"""The browser, and pages whose errors fail the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import soundfile

from tests.browser.chromium import launched, started
from tests.browser.server import FileServer
from tests.browser.studio import studio
from tests.browser.visitor import Visitor
from tests.e2e.command import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Playwright

__all__ = ["studio"]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with started() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    """Server of a temporary folder and of the page's modules."""
    with FileServer(tmp_path_factory.mktemp("files")) as server:
        yield server


@pytest.fixture
def page(browser: Browser, files: FileServer) -> Iterator[Page]:
    """Empty page of the server; uncaught errors of scripts fail the test."""
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(files.url)
    yield page
    page.close()
    files.reset()
    assert errors == []


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Function that opens a browser of its own, with options of Playwright's contexts."""
    visitors: list[Visitor] = []

    def new(**options: object) -> Visitor:
        visitors.append(Visitor(browser, **options))
        return visitors[-1]

    yield new
    for one in visitors:
        one.context.close()
    assert [fault for one in visitors for fault in one.faults] == []


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of a real song, as a large file."""
    path = tmp_path_factory.mktemp("song") / "Night Train.wav"
    soundfile.write(path, excerpt(12.0), 44_100)
    return path
