"""How long work takes: the device has finished before the clock starts, and before it stops."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def timed_s(work: Callable[[], object], device: torch.device) -> float:
    """Wall time of one call, all of its work on the device included."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all lie at or below, interpolated between neighbours.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    place = (len(ranked) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def paired_ratio(slower_s: Sequence[float], faster_s: Sequence[float]) -> float:
    """How many times as long one takes as the other: the median over rounds that followed closely.

    A machine that slows down for a while slows both of a pair, which the ratio of two medians
    would not know.
    """
    return statistics.median(a / b for a, b in zip(slower_s, faster_s, strict=True))
