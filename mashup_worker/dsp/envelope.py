"""How loud a sound is from moment to moment, and gains that follow it.

All on a grid of steps much coarser than samples, and without recursion: a release that falls evenly
in decibels is a running maximum of levels that were tilted before and are tilted back after it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS_PER_SECOND = 1000
SILENCE_DB = -120.0


def levels_db(samples: Tensor, rate_hz: int) -> Tensor:
    """RMS of every millisecond or so of all channels, in dB re full scale; -120 at least.

    Shape: `(channels, samples)` to `(steps,)`, one step a `step_samples(rate_hz)`.
    """
    step = step_samples(rate_hz)
    power = samples.square().mean(0)
    steps = -(-len(power) // step)
    if not steps:
        return samples.new_empty(0)
    power = F.pad(power, (0, steps * step - len(power))).view(steps, step).mean(1)
    return 10 * torch.log10(power.clamp_min(10 ** (SILENCE_DB / 10)))


def step_samples(rate_hz: int) -> int:
    """Samples a step of envelopes."""
    return max(1, rate_hz // STEPS_PER_SECOND)


def released(levels: Tensor, fall_db_per_step: float) -> Tensor:
    """Levels that rise at once, and fall no faster than evenly.

    Shape: `(steps,)` to the same.
    """
    tilt = fall_db_per_step * torch.arange(len(levels), device=levels.device, dtype=torch.float64)
    held = (levels.double() + tilt).cummax(0).values - tilt if len(levels) else levels
    return held.to(levels.dtype)


def smoothed(curve: Tensor, steps: int) -> Tensor:
    """A weighted mean of so many steps, centred, the ends going on as they are.

    Shape: `(steps,)` to the same.
    """
    size = 2 * (steps // 2) + 1
    if size == 1 or not len(curve):
        return curve
    weights = torch.hann_window(size + 2, periodic=False, dtype=curve.dtype, device=curve.device)
    weights = weights[1:-1] / weights.sum()
    ends = F.pad(curve[None, None], (size // 2, size // 2), mode="replicate")
    return F.conv1d(ends, weights[None, None])[0, 0]


def at_samples(curve: Tensor, step: int, length_samples: int) -> Tensor:
    """A curve of steps at every sample, straight between the middles of steps.

    Shape: `(steps,)` to `(length_samples,)`.
    """
    if len(curve) == 0 or length_samples == 0:
        return curve.new_zeros(length_samples)
    if step == 1:
        return curve[:length_samples]
    fine = F.interpolate(
        curve[None, None], size=len(curve) * step, mode="linear", align_corners=False
    )
    return fine[0, 0, :length_samples]


def activity(
    key: Tensor,
    rate_hz: int,
    *,
    full_db: float,
    none_db: float,
    attack_s: float,
    release_s: float,
) -> Tensor:
    """How much of a sound is there: 1 at its loud moments, 0 in its rests.

    Args:
        key: shape `(channels, samples)`.
        rate_hz: samples a second.
        full_db: from so much below its loud moments (the 98th percentile of its levels) on it
            is 1; negative.
        none_db: from so much below them down it is 0; negative.
        attack_s: it rises within half of this, and is up a quarter of it before the sound is there.
        release_s: how long it takes to fall from 1 to 0; as many dB a second bring it from its
            loud moments down to `full_db` before that.

    Returns:
        Shape `(steps,)`, 0 to 1; zeros for silence.
    """
    levels = levels_db(key, rate_hz)
    sounding = levels[levels > -80.0]
    if not len(sounding):
        return torch.zeros_like(levels)
    # Sorted, since `quantile` takes no more than 16 million values, which are four hours.
    loud = float(sounding.sort().values[math.ceil(0.98 * len(sounding)) - 1])
    steps_per_second = rate_hz / step_samples(rate_hz)
    fall = (full_db - none_db) / max(1.0, release_s * steps_per_second)
    held = released(levels, fall)
    amount = ((held - loud - none_db) / (full_db - none_db)).clamp(0, 1)
    # The maximum of the coming steps comes first, so that it is all there when the sound is.
    reach = round(attack_s * steps_per_second / 2)
    ahead = F.max_pool1d(amount[None], 2 * reach + 1, 1, reach)[0] if reach else amount
    return smoothed(ahead, reach)
