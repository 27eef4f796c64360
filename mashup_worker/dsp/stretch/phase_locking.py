"""Phases of a stretched sound's frames, without a loop over the frames.

A frame of the stretched sound is a frame of the sound whose bins are rotated. With identity phase
locking (J. Laroche and M. Dolson, "Improved phase vocoder time-scale modification of audio", IEEE
Transactions on Speech and Audio Processing 7(3), 1999) all bins around a spectral peak share the
rotation of the peak: what the peak's bin had in the frame before, and a turn more,

    rotation[t, k] = turn[t, leader[t, k]] * rotation[t - 1, leader[t, k]].

So a frame is a map of bins to bins along with a unit complex number each, and such steps can be
composed before it is known what they will be applied to: a prefix scan solves the recursion.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def leading_peaks(power: Tensor) -> Tensor:
    """The bin of the nearest spectral peak, for every bin; the bin itself in silence.

    A peak is higher than two bins on either side.

    Shape: `(frames, bins)` to int64 of the same.
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
    """Complex numbers brought to magnitude 1; 1 for 0."""
    magnitude = values.abs()
    silent = magnitude < torch.finfo(magnitude.dtype).tiny
    return torch.where(silent, 1, values / magnitude.masked_fill(silent, 1))


def rotations(first: Tensor, leaders: Tensor, turns: Tensor) -> Tensor:
    """Solve `rotation[t, k] = turns[t, l] * rotation[t - 1, l]` with `l = leaders[t, k]`.

    Where the leader is `bins`, one more than the last bin, the rotation starts anew with 1.

    Blocks of frames are composed side by side, then the blocks in turn, so `n` frames take some
    `2 * sqrt(n)` steps on whole tensors.

    Shape: `first`, the rotation before frame 0: complex `(bins,)`; `leaders`: int64
    `(frames, bins)`; `turns`: complex `(frames, bins)`, magnitudes 1; result as `turns`.
    """
    frames, bins = leaders.shape
    size = max(1, math.isqrt(frames))
    blocks = -(-frames // size)
    # One more bin stays 1. Frames that change nothing fill up the last block.
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
