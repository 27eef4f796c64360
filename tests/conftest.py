"""What tests of every kind share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.checkpoints import make_repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random-weight checkpoints; see `make_repository`."""
    return make_repository(tmp_path_factory.mktemp("repository"))
