"""Health of a worker process: its memory, its device's memory, and unreachable services."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.monitoring.reports import HealthReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVERY_S = 5.0

_STATM = Path("/proc/self/statm")


def watch_health(
    send_report: Callable[[HealthReport], None],
    services: Mapping[str, Callable[[], object]],
    device: str | None = None,
    every_s: float = EVERY_S,
) -> None:
    """Send health reports from a daemon thread.

    Args:
        send_report: receives the reports.
        services: by name a function that raises if the service is unreachable.
        device: device of the process; None for the current CUDA device.
        every_s: interval of the reports.
    """

    def run() -> None:
        while True:
            send_report(health(services, device))
            time.sleep(every_s)

    threading.Thread(target=run, name="health", daemon=True).start()


def health(services: Mapping[str, Callable[[], object]], device: str | None = None) -> HealthReport:
    """Return the current health of this process."""
    unreachable = tuple(name for name, query in services.items() if not _answers(query))
    return HealthReport(
        memory_bytes=resident_bytes(),
        device_bytes=device_bytes(device),
        device_name=device_name(device),
        unreachable=unreachable,
    )


def resident_bytes() -> int:
    """Return the resident memory of this process, or its maximum where `/proc` is missing."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1_024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device_bytes(device: str | None = None) -> dict[str, int]:
    """Return the memory of a CUDA device by kind; empty if this process has not used one."""
    cuda = _cuda_of(device)
    if cuda is None:
        return {}
    free, total = cuda.mem_get_info(device)
    return {
        "allocated": int(cuda.memory_allocated(device)),
        "reserved": int(cuda.memory_reserved(device)),
        "free": int(free),
        "total": int(total),
    }


def device_name(device: str | None = None) -> str | None:
    """Return the name of a CUDA device; None if this process has not used one."""
    cuda = _cuda_of(device)
    return None if cuda is None else str(cuda.get_device_name(device))


def _cuda_of(device: str | None) -> Any:
    """Return `torch.cuda` if the process uses it already for the device; None otherwise."""
    torch = sys.modules.get("torch")
    # A query would initialize CUDA, which costs time and memory.
    if torch is None or not torch.cuda.is_initialized():
        return None
    return torch.cuda if device is None or device.startswith("cuda") else None


def _answers(query: Callable[[], object]) -> bool:
    try:
        query()
    except Exception:
        return False
    return True
