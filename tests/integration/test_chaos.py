"""A short run of the random schedule; `python -m tests.chaos.schedule` has the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.schedule import run

if TYPE_CHECKING:
    from pathlib import Path


def test_whatever_goes_wrong_every_job_ends_once(tmp_path: Path) -> None:
    wrong, chaos = run(tmp_path, jobs=60, seed=3, faults=16)
    assert not wrong
    assert len(chaos.jobs) == 60
