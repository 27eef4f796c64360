"""What tests of every kind share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from tests.checkpoints import make_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random-weight checkpoints; see `make_repository`."""
    return make_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small networks gain nothing from threads, and lose much where other processes run."""
    torch.set_num_threads(1)
