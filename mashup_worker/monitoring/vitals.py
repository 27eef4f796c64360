"""Looks after a lane from inside it: its memory, its device's, and whether the services answer."""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.monitoring.reports import VitalsReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.monitoring.reports import Report

EVERY_S = 5.0

_STATM = Path("/proc/self/statm")


def watch_vitals(
    tell: Callable[[Report], None],
    services: Mapping[str, Callable[[], object]],
    every_s: float = EVERY_S,
) -> None:
    """Tell them every few seconds from a thread, as long as the process lives.

    Args:
        tell: takes the reports.
        services: by name, what raises where the service is away.
        every_s: pause between reports.
    """
    never = threading.Event()

    def run() -> None:
        while True:
            tell(vitals(services))
            never.wait(every_s)

    threading.Thread(target=run, name="vitals", daemon=True).start()


def vitals(services: Mapping[str, Callable[[], object]]) -> VitalsReport:
    """How this process does now."""
    away = tuple(name for name, ask in services.items() if not _answers(ask))
    return VitalsReport(resident_bytes(), device_bytes(), away)


def resident_bytes() -> int:
    """Memory of this process; where the system does not tell, the most that it ever was."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1_024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device_bytes() -> dict[str, int]:
    """Memory of the CUDA device, by kind; empty where this process has not used one."""
    torch = sys.modules.get("torch")
    # Asking would initialise CUDA, which costs time and memory on a machine that works without.
    if torch is None or not torch.cuda.is_initialized():
        return {}
    free, total = torch.cuda.mem_get_info()
    return {
        "allocated": int(torch.cuda.memory_allocated()),
        "reserved": int(torch.cuda.memory_reserved()),
        "free": int(free),
        "total": int(total),
    }


def _answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Exception:
        return False
    return True
