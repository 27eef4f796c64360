"""Level envelopes, and gains that follow them.

Envelopes have a step of about a millisecond and are computed without recursion: a release that
falls linearly in decibels is a running maximum of levels that are tilted before and tilted back
after it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mashup_worker.dsp.pieces import samples_at_once

STEPS_PER_SECOND = 1000
SILENCE_DB = -120.0


def levels_db(samples: Tensor, sample_rate: int) -> Tensor:
    """Return the RMS level of each step over all channels, in dB re full scale, at least -120.

    Shape: `(channels, samples)` to `(steps,)`, one step per `step_samples(sample_rate)`.
    """
    if not samples.shape[1]:
        return samples.new_empty(0)
    step = step_samples(sample_rate)
    at_once = samples_at_once(samples.device) // step
    pieces = samples.split(max(1, at_once) * step, dim=1)
    power = torch.cat([_step_powers(piece, step) for piece in pieces])
    return 10 * torch.log10(power.clamp_min(10 ** (SILENCE_DB / 10)))


def _step_powers(samples: Tensor, step: int) -> Tensor:
    power = samples.square().mean(0)
    steps = -(-len(power) // step)
    return F.pad(power, (0, steps * step - len(power))).view(steps, step).mean(1)


def step_samples(sample_rate: int) -> int:
    """Return the samples of one envelope step."""
    return max(1, sample_rate // STEPS_PER_SECOND)


def released(levels: Tensor, fall_db_per_step: float) -> Tensor:
    """Return levels that rise at once and fall at most at a constant rate, shape `(steps,)`."""
    tilt = fall_db_per_step * torch.arange(len(levels), device=levels.device, dtype=torch.float64)
    held = (levels.double() + tilt).cummax(0).values - tilt if len(levels) else levels
    return held.to(levels.dtype)


def smoothed(curve: Tensor, steps: int) -> Tensor:
    """Return a centered weighted mean of steps, shape `(steps,)`; end values extend the ends."""
    size = 2 * (steps // 2) + 1
    if size == 1 or not len(curve):
        return curve
    weights = torch.hann_window(size + 2, periodic=False, dtype=curve.dtype, device=curve.device)
    weights = weights[1:-1] / weights.sum()
    ends = F.pad(curve[None, None], (size // 2, size // 2), mode="replicate")
    return F.conv1d(ends, weights[None, None])[0, 0]


def at_samples(curve: Tensor, step: int, length_samples: int) -> Tensor:
    """Interpolate linearly between the centers of steps, `(steps,)` to `(length_samples,)`."""
    if len(curve) == 0 or length_samples == 0:
        return curve.new_zeros(length_samples)
    # `F.interpolate` rounds positions to float32: to a 64th of a step after three minutes.
    share = (torch.arange(step, dtype=curve.dtype, device=curve.device) + 0.5) / step - 0.5
    before, own, after = (
        F.pad(curve[None], (1, 1), mode="replicate")[0].unfold(0, 3, 1).T[..., None]
    )
    early = share < 0
    halves = [torch.lerp(before, own, 1 + share[early]), torch.lerp(own, after, share[~early])]
    return torch.cat(halves, dim=1).flatten()[:length_samples]


def activity(
    key: Tensor,
    sample_rate: int,
    *,
    full_db: float,
    none_db: float,
    attack_s: float,
    release_s: float,
) -> Tensor:
    """Return how active a sound is, 0 to 1: `(channels, samples)` to `(steps,)`; 0 for silence.

    The activity is 1 from `full_db` and 0 up to `none_db`, both relative to the 98th percentile of
    levels. It rises in `attack_s`, of which a quarter precedes the sound, and falls in `release_s`.
    """
    levels = levels_db(key, sample_rate)
    sounding = levels[levels > -80.0]
    if not len(sounding):
        return torch.zeros_like(levels)
    # Sorted, because `quantile` takes at most 16 million values, which are four hours.
    loud = float(sounding.sort().values[math.ceil(0.98 * len(sounding)) - 1])
    steps_per_second = sample_rate / step_samples(sample_rate)
    fall = (full_db - none_db) / max(1.0, release_s * steps_per_second)
    held = released(levels, fall)
    amount = ((held - loud - none_db) / (full_db - none_db)).clamp(0, 1)
    # The maximum over the coming steps is taken first, so that the rise precedes the sound.
    reach = round(attack_s * steps_per_second / 2)
    ahead = F.max_pool1d(amount[None], 2 * reach + 1, 1, reach)[0] if reach else amount
    return smoothed(ahead, reach)
