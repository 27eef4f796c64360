"""Phases of the frames of a stretched sound, computed without a loop over frames.

A frame of the stretched sound is a frame of the sound with rotated bins. With identity phase
locking (J. Laroche and M. Dolson, "Improved phase vocoder time-scale modification of audio", IEEE
Transactions on Speech and Audio Processing 7(3), 1999) all bins around a spectral peak share its
rotation: that of the peak's bin in the frame before, plus a turn,

    rotation[t, k] = turn[t, leader[t, k]] * rotation[t - 1, leader[t, k]].

A frame is thus a map from bins to bins with a unit complex number each. Such maps can be composed
before they are applied, so a prefix scan solves the recursion.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def leading_peaks(power: Tensor) -> Tensor:
    """Return the bin of the nearest spectral peak for every bin; the bin itself in silence.

    A peak is higher than two bins on either side. Shape: `(frames, bins)` to int64 of the same.
    """
    frames, bins = power.shape
    around = torch.nn.functional.pad(power, (2, 2), value=-1.0)
    is_peak = power > 0
    for offset in (0, 1):
        is_peak &= power > around[:, offset : offset + bins]
        is_peak &= power >= around[:, offset + 3 : offset + 3 + bins]
    own = torch.arange(bins, device=power.device).expand(frames, bins)
    far = 2 * bins
    below = torch.where(is_peak, own, -far).cummax(dim=1).values
    above = torch.where(is_peak, own, far).flip(1).cummin(dim=1).values.flip(1)
    nearest = torch.where(own - below <= above - own, below, above)
    return torch.where((below < 0) & (above >= bins), own, nearest)


def unit(values: Tensor) -> Tensor:
    """Scale complex numbers to magnitude 1; 0 becomes 1."""
    magnitude = values.abs()
    silent = magnitude < torch.finfo(magnitude.dtype).tiny
    return torch.where(silent, 1, values / magnitude.masked_fill(silent, 1))


def rotations(first: Tensor, leaders: Tensor, turns: Tensor) -> Tensor:
    """Solve `rotation[t, k] = turns[t, l] * rotation[t - 1, l]` with `l = leaders[t, k]`.

    A leader of `bins`, one more than the last bin, restarts the rotation with 1. Blocks of frames
    are composed in parallel, then one after the other: `n` frames take about `2 * sqrt(n)` steps.

    Shape: complex `(bins,)` before frame 0, int64 `(frames, bins)`, and unit complex `(frames,
    bins)` like the result.
    """
    frames, bins = leaders.shape
    size = max(1, math.isqrt(frames))
    blocks = -(-frames // size)
    # One extra bin stays 1. Identity frames fill up the last block.
    own = torch.arange(bins + 1, device=leaders.device)
    maps = own.repeat(blocks * size, 1)
    maps[:frames, :bins] = leaders
    more = turns.new_ones(blocks * size, bins + 1)
    more[:frames, :bins] = turns
    maps, more = maps.view(blocks, size, -1), more.view(blocks, size, -1)
    # Bin k of a block's frame i gets the rotation of bin maps[i, k] before the block, and more.
    more[:, 0] = more[:, 0].gather(1, maps[:, 0])
    for i in range(1, size):
        leader = maps[:, i].clone()
        maps[:, i] = maps[:, i - 1].gather(1, leader)
        more[:, i] = (more[:, i] * more[:, i - 1]).gather(1, leader)
    before = torch.empty_like(more[:, 0])
    rotation = torch.cat([first, first.new_ones(1)])
    for block in range(blocks):
        before[block] = rotation
        rotation = unit(rotation[maps[block, -1]] * more[block, -1])
    solved = before.gather(1, maps.flatten(1)).view_as(more) * more
    return solved.flatten(0, 1)[:frames, :bins]
