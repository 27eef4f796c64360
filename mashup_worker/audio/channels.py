"""Downmix of surround sound to stereo; `layouts` has the coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.layouts import fold_weights

if TYPE_CHECKING:
    from torch import Tensor


def fold_to_stereo(samples: Tensor, *, vorbis_order: bool = False) -> Tensor:
    """Fold more than two channels to stereo; return mono and stereo unchanged.

    Shape: `(channels, samples)` to `(min(channels, 2), samples)`.
    """
    channels = samples.shape[0]
    if channels <= 2:
        return samples
    weights = fold_weights(channels, vorbis_order=vorbis_order)
    # Channel by channel, as `fold_frames` does: a matrix product rounds as the CPU's library does.
    left, right = (
        sum(float(weight) * channel for weight, channel in zip(row, samples, strict=True))
        for row in weights
    )
    return torch.stack([left, right])
