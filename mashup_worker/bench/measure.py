"""Timing of work, with the device synchronized before and after."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of all lie, interpolated between neighbors.

    Raises:
        ValueError: the list is empty.
    """
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    place = (len(ranked) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def paired_ratio(slower_s: Sequence[float], faster_s: Sequence[float]) -> float:
    """Return the median ratio of the times of paired rounds.

    A machine that slows down for a while slows down both of a pair, unlike a ratio of two medians.
    """
    return statistics.median(a / b for a, b in zip(slower_s, faster_s, strict=True))
