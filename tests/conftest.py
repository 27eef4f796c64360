"""What tests of every kind share."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.models import fp32
from tests.checkpoints import make_repository
from tests.fake_cuda.budget import DeviceBudget, is_fake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random-weight checkpoints; see `make_repository`."""
    return make_repository(tmp_path_factory.mktemp("repository"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Use a temporary folder outside that of pytest, which every run closes to other users.

    Where root runs the tests, Postgres runs as a user of its own, and must reach its data. A cache
    of compiled librosa code that processes share was found damaged, and crashed every later run.
    """
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = _temporary_folder(config, "mashup-tests-")
    os.environ["NUMBA_CACHE_DIR"] = _temporary_folder(config, "mashup-numba-")


def _temporary_folder(config: pytest.Config, prefix: str) -> str:
    folder = tempfile.mkdtemp(prefix=prefix)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests whose device is not here; fp32 is exact on it, as after `resolve_device`."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA device; tests/integration/test_gpu_paths.py runs it on a fake one")
    hardware = item.get_closest_marker("hardware")
    if hardware and is_fake():
        pytest.skip(f"needs a real GPU: {hardware.args[0]}")
    if item.get_closest_marker("gpu"):
        fp32.exact_unless_set()


@pytest.fixture
def as_torch_starts() -> Iterator[None]:
    """A process that has not used CUDA yet: its convolutions are TF32 until the code says not."""
    with fp32.fp32("torch"):
        fp32._chosen = None
        yield


@pytest.fixture
def device_budget() -> DeviceBudget:
    """Limits of what the test costs the device, and of the defects it may cause there."""
    return DeviceBudget()


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small networks gain nothing from threads, and lose much where other processes run."""
    torch.set_num_threads(1)
