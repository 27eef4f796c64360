"""The studio over a running service with a worker, and the people who use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import soundfile

from mashup_worker.api.studio.libraries import COMMAND, are_complete
from tests.browser.chromium import skip_without_browser
from tests.browser.flow.service import StudioService
from tests.browser.flow.visitor import Visitor
from tests.e2e.command import excerpt
from tests.e2e.service import running_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioService]:
    """Service for all tests."""
    skip_without_browser()
    if not are_complete():
        pytest.skip(f"The libraries of the studio are missing: {COMMAND}")
    with running_service(tmp_path_factory.mktemp("studio"), processes=1) as one:
        yield StudioService(one.folder, one.facts, one.environment)


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
