"""What tests of the installed command share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.e2e.command import Mashup
from tests.e2e.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["service"]


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads
        threads.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def mashup(pool: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Mashup:
    return Mashup(tmp_path_factory.mktemp("mashup"), pool)
