"""How many threads a network should run on: one for each physical core that the process may use.

Two threads on one core share its matrix units, and threads beyond a container's quota of processor
time stop all others at each barrier until the quota is filled up again.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

import torch

_SYSTEM = Path("/sys")


def use_physical_cores() -> None:
    """Have torch use as many threads on the CPU, unless the environment says how many."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))


def usable_cores(system: Path = _SYSTEM) -> int:
    """Physical cores that this process may use, at least 1.

    Args:
        system: what the kernel tells, laid out as Linux does.
    """
    return int(min(_physical_cores(system), max(1, _quota(system))))


def _physical_cores(system: Path) -> int:
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    processors = os.sched_getaffinity(0)
    siblings = set()
    for processor in processors:
        path = system / f"devices/system/cpu/cpu{processor}/topology/thread_siblings_list"
        try:
            siblings.add(path.read_text().strip())
        except OSError:
            return len(processors)
    return len(siblings)


def _quota(system: Path) -> float:
    """Processors' worth of time that the container gets, by either version of control groups."""
    groups = system / "fs/cgroup"
    with suppress(OSError, ValueError):
        quota, period = (groups / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota_us = int((groups / "cpu/cpu.cfs_quota_us").read_text())
        period_us = int((groups / "cpu/cpu.cfs_period_us").read_text())
        return math.inf if quota_us <= 0 else quota_us / period_us
    return math.inf
