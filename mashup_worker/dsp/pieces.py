"""Pieces of long signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def pieces(samples: Tensor) -> tuple[Tensor, ...]:
    """Return `samples` in pieces along the last axis; on a CPU they fit its cache."""
    parts: tuple[Tensor, ...] = samples.split(samples_at_once(samples.device), dim=-1)
    return parts


def samples_at_once(device: torch.device) -> int:
    """Return how many samples to process together; on a CPU they fit its cache."""
    return 1 << 16 if device.type == "cpu" else 1 << 20
