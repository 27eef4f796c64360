"""The fake device, without findings, in every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_cuda import FOUND, pretend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _device() -> Iterator[None]:
    with pretend():
        FOUND.clear()
        yield
    FOUND.clear()
