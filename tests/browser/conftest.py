"""The browser, and pages whose errors fail the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import launched, started
from tests.browser.server import FileServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Playwright


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, whose event loop counts as running in this thread until it is stopped.

    `asyncio.run` fails in the tests of other modules as long as it does.
    """
    with started() as playwright:
        yield playwright


@pytest.fixture(scope="module")
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
