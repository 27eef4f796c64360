"""Number of usable processor cores."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mashup_worker.system.cores import usable_cores

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the system has no affinity"
)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a simulated machine of four cores with two threads each, all usable."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for processor in range(8):
        folder = tmp_path / f"devices/system/cpu/cpu{processor}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{processor % 4},{processor % 4 + 4}\n")
    (tmp_path / "fs/cgroup/cpu").mkdir(parents=True)
    return tmp_path


def test_threads_of_a_core_count_once(system: Path) -> None:
    assert usable_cores(system) == 4


def test_only_cores_of_the_affinity_count(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2, 5})
    assert usable_cores(system) == 2


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 4), ("250000 100000", 2), ("50000 100000", 1), ("900000 100000", 4)],
)
def test_a_quota_of_a_container_limits_the_number(system: Path, quota: str, cores: int) -> None:
    (system / "fs/cgroup/cpu.max").write_text(f"{quota}\n")
    assert usable_cores(system) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 4), ("300000", 3)])
def test_a_quota_of_control_groups_v1_limits_the_number(
    system: Path, quota: str, cores: int
) -> None:
    (system / "fs/cgroup/cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (system / "fs/cgroup/cpu/cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(system) == cores


def test_all_processors_count_without_a_topology(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert usable_cores(tmp_path) == 3
