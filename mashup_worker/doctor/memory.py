"""Check of the memory of the machine and of its GPUs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

GIB = 1 << 30

LOW_RAM_BYTES = 4 * GIB
"""Memory that a ten-minute song needs at most on the CPU."""

LOW_GPU_BYTES = 3 * GIB
"""GPU memory that the README of Demucs names as the minimum."""

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_USED = Path("/sys/fs/cgroup/memory.current")
CGROUP_STAT = Path("/sys/fs/cgroup/memory.stat")
MEMINFO = Path("/proc/meminfo")


def check_memory(_settings: Settings) -> Finding:
    """Report total and free memory of the machine and of each GPU."""
    total_bytes, free_bytes = ram_bytes()
    gpus = _gpus()
    details = {"ram_bytes": total_bytes, "ram_free_bytes": free_bytes, "gpus": gpus}
    parts = [_amount("RAM", total_bytes, free_bytes)]
    parts += [_amount(f"GPU {g['index']}", g["memory_bytes"], g["free_bytes"]) for g in gpus]
    remedy = None
    if (total_bytes if free_bytes is None else free_bytes) < LOW_RAM_BYTES:
        remedy = "free some RAM: long songs need up to 4 GiB"
    elif any(gpu["free_bytes"] < LOW_GPU_BYTES for gpu in gpus):
        remedy = "free GPU memory: Demucs needs 3 GiB or more"
    return Finding("memory", "warning" if remedy else "ok", "; ".join(parts), remedy, details)


def _amount(what: str, total_bytes: int, free_bytes: int | None) -> str:
    free = "unknown" if free_bytes is None else f"{free_bytes / GIB:.1f} GiB"
    return f"{what} {total_bytes / GIB:.1f} GiB, free: {free}"


def ram_bytes() -> tuple[int, int | None]:
    """Return the bytes of RAM that this process may use, and how many of them are free.

    The second is None where the system does not report it. A container's limit replaces the
    machine's RAM where it is lower; its inactive page cache counts as free.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    total = page * os.sysconf("SC_PHYS_PAGES")
    available_kib = _named(MEMINFO, "MemAvailable:")
    free = None if available_kib is None else 1024 * available_kib
    try:
        limit, used = int(CGROUP_LIMIT.read_text()), int(CGROUP_USED.read_text())
    except (OSError, ValueError):
        return total, free
    used -= _named(CGROUP_STAT, "inactive_file") or 0
    left = max(0, limit - used)
    return min(total, limit), left if free is None else min(free, left)


def _named(path: Path, name: str) -> int | None:
    """Return the number after `name` in a list of the kernel; None where the list lacks it."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return None
    return next((int(row[1]) for row in rows if row[:1] == [name]), None)


def _gpus() -> list[dict[str, Any]]:
    try:
        import torch

        found = []
        for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            free_bytes, memory_bytes = torch.cuda.mem_get_info(index)
            found.append({"index": index, "memory_bytes": memory_bytes, "free_bytes": free_bytes})
    except (ImportError, OSError, RuntimeError):
        return []  # reported by the checks of torch and of the GPU
    return found
