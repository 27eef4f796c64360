"""Separators that GPU tests share, since recording and warming up takes most of their time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.gpu.networks import tiny_separator

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.models.demucs_engine import DemucsSeparator


@pytest.fixture(scope="session")
def on_cpu() -> DemucsSeparator:
    """The reference: a tiny network in fp32 on the CPU."""
    return tiny_separator("cpu")


@pytest.fixture(scope="session")
def warm() -> Callable[[str], DemucsSeparator]:
    """By precision, the same network on the device, warm, with batches of two."""

    @cache
    def separator(precision: str) -> DemucsSeparator:
        made = tiny_separator("cuda", precision, batch=2)
        made.warm_up()
        return made

    return separator
