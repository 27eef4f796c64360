"""What tests of the installed command share."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import Mashup
from tests.e2e.preloaded import PreloadedMashup
from tests.e2e.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["service"]


@pytest.fixture(scope="package")
def preloaded() -> Iterator[PreloadedMashup]:
    with closing(PreloadedMashup()) as commands:
        yield commands


@pytest.fixture(scope="module")
def mashup(preloaded: PreloadedMashup, tmp_path_factory: pytest.TempPathFactory) -> Mashup:
    return Mashup(tmp_path_factory.mktemp("mashup"), preloaded)
