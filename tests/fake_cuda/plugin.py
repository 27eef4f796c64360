"""The pytest plugin: tests see the fake device, and fail by the defects that it finds."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.fake_cuda.budget import DeviceBudget
from tests.fake_cuda.device import pretend
from tests.fake_cuda.findings import FOUND
from tests.fake_cuda.streams import TIMELINE

if TYPE_CHECKING:
    from collections.abc import Generator

_DEVICE = ExitStack()


def pytest_configure() -> None:
    _DEVICE.enter_context(pretend())


def pytest_unconfigure() -> None:
    _DEVICE.close()


def pytest_collection_finish() -> None:
    # Libraries that choose algorithms in the first runs are not there.
    _DEVICE.enter_context(mock.patch("mashup_worker.models.graphs._WARM_UP_RUNS", 1))
    gc.freeze()  # what is imported need not be searched after every test


def pytest_runtest_setup() -> None:
    TIMELINE.renew_pool()
    FOUND.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    result = yield
    gc.collect()  # memory is checked when it is freed
    getattr(item, "funcargs", {}).get("device_budget", DeviceBudget()).check()
    return result
