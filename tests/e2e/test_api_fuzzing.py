"""Random requests by the OpenAPI document get the answers that it describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients.environments import python_environment
from tests.fuzz.api import PACKAGE, fuzz

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_no_request_is_answered_with_an_undescribed_answer(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    python_environment(folder, PACKAGE)
    assert fuzz(folder / "bin" / "schemathesis", 60, 1, tmp_path) == 0
