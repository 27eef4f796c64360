"""Share of the time in which a device or processor is busy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mashup_worker.bench.measure import timed_s
from mashup_worker.system.cores import usable_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import torch


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
        if event.name.startswith(("Memcpy", "Memset")) or getattr(
            event, "is_user_annotation", False
        ):
            continue
        yield event.time_range.start, event.time_range.end
