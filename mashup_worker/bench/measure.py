"""Timing of work, busy shares, and peak memory on the device and the host."""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.system.cores import usable_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""Value that resets `VmHWM`, the kernel's peak, to the resident size (proc(5))."""


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all submitted work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def timed_s(work: Callable[[], object], device: torch.device) -> float:
    """Return the wall time of one call, including its work on the device."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def paired_ratio(slower_s: Sequence[float], faster_s: Sequence[float]) -> float:
    """Return the median ratio of the times of paired rounds.

    A machine that slows down for a while slows down both of a pair, unlike a ratio of two medians.
    """
    return statistics.median(a / b for a, b in zip(slower_s, faster_s, strict=True))


class ProcessorClock:
    """Share of the processors' time that this process used since the clock was created."""

    def __init__(self) -> None:
        self._wall_s = time.perf_counter()
        self._used_s = time.process_time()

    def share(self) -> float:
        """Return the share so far, 0 to 1."""
        wall_s = time.perf_counter() - self._wall_s
        used_s = time.process_time() - self._used_s
        return min(1.0, used_s / (wall_s * usable_processors())) if wall_s else 0.0


def kernel_share(work: Callable[[], object], device: torch.device, wall_s: float) -> float | None:
    """Return the share of `wall_s` in which kernels run while the CUDA device does `work` once.

    Kernels come from torch's profiler, without copies. The wall time comes from a round without the
    profiler, which slows down the host but not the kernels.

    Returns:
        The share, 0 to 1; None if the profiler finds no kernel.
    """
    from torch.profiler import ProfilerActivity, profile, supported_activities

    if ProfilerActivity.CUDA not in supported_activities():
        return None
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiler:
        timed_s(work, device)
    busy_s = covered([(start / 1e6, stop / 1e6) for start, stop in _kernels_us(profiler)])
    return min(1.0, busy_s / wall_s) if busy_s else None


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of spans `(start, stop)`."""
    total, reached = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    return total


def _kernels_us(profiler: Any) -> Iterable[tuple[float, float]]:
    for event in profiler.events():
        if not str(event.device_type).endswith("CUDA"):
            continue
        is_copy = event.name.startswith(("Memcpy", "Memset"))
        if not (is_copy or getattr(event, "is_user_annotation", False)):
            yield event.time_range.start, event.time_range.end


@dataclass
class PeakMemory:
    """Peak memory while the block runs; run timed work once before.

    On CUDA it counts the memory reserved by torch's allocator after emptying its cache: allocated
    tensors alone would miss the memory of recorded graphs.

    Attributes:
        device: device to watch beside the host.
        host_bytes: peak of the process in the block; since its start where the system cannot reset
            it.
        device_bytes: peak reserved on the device beyond the amount before the block; None on a CPU
            and where torch does not count it.
    """

    device: torch.device
    host_bytes: int = 0
    device_bytes: int | None = None
    _before: int = 0

    def __enter__(self) -> PeakMemory:
        reset_host_peak()
        if self.device.type == "cuda":
            self._before = held_bytes(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        return self

    def __exit__(self, *_: object) -> None:
        self.host_bytes = host_peak_bytes()
        if self.device.type == "cuda":
            self.device_bytes = torch.cuda.max_memory_reserved(self.device) - self._before


def held_bytes(device: torch.device) -> int:
    """Return the bytes of tensors and graphs on a CUDA device; 0 where torch counts none."""
    if device.type != "cuda":
        return 0
    gc.collect()
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved(device)


def reset_host_peak() -> bool:
    """Reset the peak; return False where the system cannot."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def host_peak_bytes() -> int:
    """Return the peak of this process since `reset_host_peak`, or since its start."""
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
