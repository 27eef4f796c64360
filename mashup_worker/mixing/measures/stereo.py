"""Measurements of mono compatibility."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.pieces import pieces
from mashup_worker.dsp.running_sums import sums_before
from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.levels import MixLevels

CORRELATION, MONO_LOSS = "lowest stereo correlation", "loss in mono"
MIN_CORRELATION = 0.0
MAX_MONO_LOSS_LU = 3.0

_STEPS_PER_SECOND = 10
_WINDOW_STEPS = 30
_SILENCE_BELOW_LOUDEST_DB = -50.0


def lowest_correlation(mix: Audio) -> Measurement:
    """Measure the lowest correlation of left and right over 3 s: 0 at least.

    Windows 50 dB below the loudest, and those with a silent channel, are excluded.
    """
    name, wanted = CORRELATION, f">= {MIN_CORRELATION:g}"
    if mix.channels != 2:
        return Measurement(name, None, "", wanted=wanted, detail="one channel")
    left, right, cross = _windows(mix)
    power = left + right
    loud = power > float(power.max()) * 10 ** (_SILENCE_BELOW_LOUDEST_DB / 10)
    loud &= (left > 0) & (right > 0)
    if not bool(loud.any()):
        return Measurement(name, None, "", wanted=wanted, detail="a silent channel")
    values = torch.where(loud, cross / (left * right).sqrt().clamp_min(1e-30), torch.inf)
    lowest = int(values.argmin())
    value = float(values[lowest])
    detail = f"at {lowest / _STEPS_PER_SECOND:.1f} s"
    return Measurement(
        name, value, "", wanted=wanted, passed=value >= MIN_CORRELATION - 1e-6, detail=detail
    )


def mono_loss(levels: MixLevels) -> Measurement:
    """Measure the loudness that is lost in mono: 3 LU at most.

    In mono, both loudspeakers play the mean of the channels. Equal channels lose nothing,
    uncorrelated channels 3 LU, opposite channels everything.
    """
    name, wanted = MONO_LOSS, f"<= {MAX_MONO_LOSS_LU:g} LU"
    if levels.integrated_lufs is None:
        return Measurement(name, None, "LU", wanted=wanted, detail="silence")
    if levels.mono_lufs is None:
        return Measurement(
            name, torch.inf, "LU", wanted=wanted, passed=False, detail="silence in mono"
        )
    loss_lu = levels.integrated_lufs - levels.mono_lufs
    return Measurement(name, loss_lu, "LU", wanted=wanted, passed=loss_lu <= MAX_MONO_LOSS_LU)


def _windows(mix: Audio) -> Tensor:
    """Return energies of left, right and product over 3 s, every 100 ms: `(3, windows)`."""
    products = (
        torch.stack([left * left, right * right, left * right])
        for left, right in pieces(mix.samples)
    )
    step = mix.sample_rate / _STEPS_PER_SECOND
    window = min(round(_WINDOW_STEPS * step), mix.length_samples)
    count = int((mix.length_samples - window) / step) + 1
    starts = (torch.arange(count) * step).long()
    before, after = sums_before(products, torch.cat([starts, starts + window])).chunk(2, dim=1)
    return after - before
