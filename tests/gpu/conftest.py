"""What GPU tests share: warm separators, since that takes most of their time, and recordings."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from mashup_worker.models.graphs import CapturedCore
from tests.gpu.networks import tiny_separator

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from mashup_worker.models.engine import NetworkSeparator


@pytest.fixture(scope="session")
def on_cpu() -> NetworkSeparator:
    """The reference: a tiny network in fp32 on the CPU."""
    return tiny_separator("cpu")


@pytest.fixture(scope="session")
def warm() -> Callable[[str], NetworkSeparator]:
    """By precision, the same network on the device, warm, with batches of two."""

    @cache
    def separator(precision: str) -> NetworkSeparator:
        made = tiny_separator("cuda", precision, batch=2)
        made.warm_up()
        return made

    return separator


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batch sizes in the order in which they are recorded."""
    sizes: list[int] = []
    plain = CapturedCore._record

    def record(core: CapturedCore, inputs: tuple[Tensor, ...]) -> object:
        sizes.append(len(inputs[0]))
        return plain(core, inputs)

    monkeypatch.setattr(CapturedCore, "_record", record)
    return sizes
