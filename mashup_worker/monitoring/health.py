"""Health of a worker process: its memory, its device's memory, and unreachable services."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.monitoring.reports import HealthReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.monitoring.reports import Report

EVERY_S = 5.0

_STATM = Path("/proc/self/statm")


def watch_health(
    send_report: Callable[[Report], None],
    services: Mapping[str, Callable[[], object]],
    every_s: float = EVERY_S,
) -> None:
    """Send health reports from a daemon thread.

    `services` has by name a function that raises if the service is unreachable.
    """

    def run() -> None:
        while True:
            send_report(health(services))
            time.sleep(every_s)

    threading.Thread(target=run, name="health", daemon=True).start()


def health(services: Mapping[str, Callable[[], object]]) -> HealthReport:
    """Return the current health of this process."""
    unreachable = tuple(name for name, query in services.items() if not _answers(query))
    return HealthReport(
        memory_bytes=resident_bytes(), device_bytes=device_bytes(), unreachable=unreachable
    )


def resident_bytes() -> int:
    """Return the resident memory of this process, or its maximum where `/proc` is missing."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1_024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device_bytes() -> dict[str, int]:
    """Return the memory of the CUDA device by kind; empty if this process has not used one."""
    torch = sys.modules.get("torch")
    # A query would initialize CUDA, which costs time and memory.
    if torch is None or not torch.cuda.is_initialized():
        return {}
    free, total = torch.cuda.mem_get_info()
    return {
        "allocated": int(torch.cuda.memory_allocated()),
        "reserved": int(torch.cuda.memory_reserved()),
        "free": int(free),
        "total": int(total),
    }


def _answers(query: Callable[[], object]) -> bool:
    try:
        query()
    except Exception:
        return False
    return True
