"""Short run of the random schedule; `python -m tests.chaos.schedule` makes long ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.schedule import run

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.stack.stack import Stack


@pytest.mark.slow
def test_every_job_ends_once_despite_random_faults(stack: Stack, tmp_path: Path) -> None:
    problems, chaos = run(tmp_path, stack, jobs=60, seed=3, faults=16)
    assert not problems
    assert len(chaos.jobs) == 60
