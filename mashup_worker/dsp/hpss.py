"""Harmonic-percussive separation of a spectrogram by median filtering."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALL_VALUES = 1 << 18
"""Filtering up to this many values takes less time than the import of SciPy."""


def median_filter(values: Tensor, size: int) -> Tensor:
    """Return the running median of odd `size` along the last axis, with zeros outside."""
    half = size // 2
    padded = F.pad(values, (half, half))
    if values.device.type != "cpu" or values.numel() <= _SMALL_VALUES:
        return padded.unfold(-1, size, 1).median(dim=-1).values
    from scipy import ndimage

    # SciPy's filter is fast in one dimension only; the zeros keep the rows apart.
    flat = ndimage.median_filter(padded.numpy().ravel(), size=size, mode="constant")
    return torch.from_numpy(flat).view_as(padded)[..., half : half + values.shape[-1]]


def harmonic_percussive(
    magnitude: Tensor, *, size_frames: int, size_bins: int
) -> tuple[Tensor, Tensor]:
    """Return the magnitudes of sustained (along time) and percussive (along frequency) sound.

    Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010.

    Shape: `(frames, bins)` to two of the same; `size_frames` and `size_bins` are odd.
    """
    harmonic = median_filter(magnitude.T.contiguous(), size_frames).T
    return harmonic, median_filter(magnitude.contiguous(), size_bins)


def soft_mask(wanted: Tensor, rest: Tensor) -> Tensor:
    """Return the share of each bin that belongs to `wanted`, a ratio of squares; 0.5 for zeros."""
    tiny = torch.finfo(wanted.dtype).tiny
    ratio = (wanted + tiny) / (wanted + rest + 2 * tiny)
    wanted_power = ratio.square()
    return wanted_power / (wanted_power + (1 - ratio).square())
