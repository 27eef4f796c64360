"""Sums of a long signal between positions, without all running sums in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


def sums_before(parts: Iterable[Tensor], positions: Tensor) -> Tensor:
    """Return the sums of a signal before sample positions, float64, on the CPU.

    Shape: consecutive parts `(..., samples)`, int64 `(n,)` from 0 to their length, to `(..., n)`.
    """
    found, start, total = torch.zeros(len(positions), dtype=torch.float64), 0, None
    for part in parts:
        sums = part.cumsum(-1, dtype=torch.float64).cpu()
        if total is None:
            total = sums.new_zeros(*sums.shape[:-1], 1)
            found = found.expand(*sums.shape[:-1], -1).clone()
        stop = start + sums.shape[-1]
        inside = (positions > start) & (positions <= stop)
        found[..., inside] = total + sums[..., positions[inside] - start - 1]
        start, total = stop, total + sums[..., -1:]
    return found
