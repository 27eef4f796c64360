"""Number of processor cores that this process may use, and threads of torch to match.

Two threads on one core share its matrix units. Threads beyond a container's quota of processor time
stall all others at each barrier until the quota is refilled.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

_SYSTEM = Path("/sys")


def use_physical_cores() -> None:
    """Limit torch to one CPU thread per usable core, unless `OMP_NUM_THREADS` is set."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))


def usable_processors() -> int:
    """Return the number of logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS has no affinity


def usable_cores(system: Path = _SYSTEM) -> int:
    """Return the number of physical cores that this process may use, at least 1.

    `system` is the root of the kernel's description of the machine, laid out as Linux does.
    """
    return int(min(_physical_cores(system), max(1, _quota(system))))


def _physical_cores(system: Path) -> int:
    if not hasattr(os, "sched_getaffinity"):
        return usable_processors()
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
    """Return the processor time of the container in processors, from control groups v2 or v1."""
    groups = system / "fs/cgroup"
    with suppress(OSError, ValueError):
        quota, period = (groups / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota_us = int((groups / "cpu/cpu.cfs_quota_us").read_text())
        period_us = int((groups / "cpu/cpu.cfs_period_us").read_text())
        return math.inf if quota_us <= 0 else quota_us / period_us
    return math.inf
