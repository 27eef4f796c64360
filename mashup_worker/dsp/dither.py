"""Dither: noise that makes the error of rounding to integers independent of the signal."""

from __future__ import annotations

import torch
from torch import Tensor


def dithered(samples: Tensor, bit_depth: int, seed: int) -> Tensor:
    """Add triangular noise of one least significant bit to `(channels, samples)`, before rounding.

    The power of the rounding error is then independent of the signal (S. P. Lipshitz, R. A.
    Wannamaker and J. Vanderkooy, "Quantization and dither: a theoretical survey", JAES 40(5),
    1992). Digital silence stays silent. A seed gives the same noise on any device.
    """
    noise = torch.Generator().manual_seed(seed % 2**63)
    step = 2.0 ** (1 - bit_depth)
    out = samples.clone()
    for start in range(0, samples.shape[1], 1 << 20):
        piece = out[:, start : start + (1 << 20)]
        two = torch.rand(2, *piece.shape, generator=noise)
        silent = ~piece.any(dim=0)
        piece += (
            (step * (two[0] - two[1])).to(piece.device).masked_fill_(silent.to(piece.device), 0.0)
        )
    return out
