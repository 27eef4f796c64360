"""Downmix of surround sound to stereo; `layouts` has the coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.layouts import default_speakers, fold_weights

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.layouts import Speakers


def fold_to_stereo(samples: Tensor, speakers: Speakers | None = None) -> Tensor:
    """Fold more than two channels to stereo; return mono and stereo unchanged.

    Shape: `(channels, samples)` to `(min(channels, 2), samples)`.

    Args:
        samples: the channels.
        speakers: speaker of each channel; the defaults of `layouts` when None.
    """
    channels = samples.shape[0]
    if channels <= 2:
        return samples
    weights = fold_weights(speakers or default_speakers(channels))
    # Channel by channel, as `fold_frames` does: a matrix product rounds as the CPU's library does.
    left, right = (
        sum(float(weight) * channel for weight, channel in zip(row, samples, strict=True))
        for row in weights
    )
    return torch.stack([left, right])
