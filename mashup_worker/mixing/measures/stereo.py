"""Whether a mashup survives one loudspeaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.kweighting import pieces
from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.levels import MixLevels

LEAST_CORRELATION = 0.0
MOST_FOLD_LOSS_LU = 3.0

_STEPS_PER_SECOND = 10
_WINDOW_STEPS = 30
_SILENCE_BELOW_LOUDEST_DB = -50.0


def correlation(mix: Audio) -> Measurement:
    """The lowest correlation of left and right over any 3 s: 0 or more.

    Windows 50 dB below the loudest, and a channel that is silent, say nothing.
    """
    name, wanted = "lowest stereo correlation", f">= {LEAST_CORRELATION:g}"
    if mix.channels != 2:
        return Measurement(name, None, "", wanted, detail="one channel")
    left, right, cross = _windows(mix)
    power = left + right
    loud = power > float(power.max()) * 10 ** (_SILENCE_BELOW_LOUDEST_DB / 10)
    loud &= (left > 0) & (right > 0)
    if not bool(loud.any()):
        return Measurement(name, None, "", wanted, detail="nothing in both channels")
    values = torch.where(loud, cross / (left * right).sqrt().clamp_min(1e-30), torch.inf)
    lowest = int(values.argmin())
    value = float(values[lowest])
    detail = f"at {lowest / _STEPS_PER_SECOND:.1f} s"
    return Measurement(name, value, "", wanted, value >= LEAST_CORRELATION - 1e-6, detail)


def fold_loss(levels: MixLevels) -> Measurement:
    """What is lost in loudness when both loudspeakers play the mean of the channels: 3 LU or less.

    Nothing is lost of what both channels share, 3 LU of what has nothing in common, and all of
    what has opposite signs.
    """
    name, wanted = "loss in mono", f"<= {MOST_FOLD_LOSS_LU:g} LU"
    if levels.integrated_lufs is None:
        return Measurement(name, None, "LU", wanted, detail="silence")
    if levels.mono_lufs is None:
        return Measurement(name, torch.inf, "LU", wanted, False, "nothing is left")
    loss_lu = levels.integrated_lufs - levels.mono_lufs
    return Measurement(name, loss_lu, "LU", wanted, loss_lu <= MOST_FOLD_LOSS_LU)


def _windows(mix: Audio) -> Tensor:
    """Energy of left, of right, and of their product, of each 3 s, every 100 ms, shape `(3, n)`.

    Shorter sounds are one window.
    """
    sums = [torch.zeros(3, 1, dtype=torch.float64)]
    for piece in pieces(mix.samples):
        left, right = piece
        products = torch.stack([left * left, right * right, left * right])
        sums.append(sums[-1][:, -1:] + products.cumsum(1, dtype=torch.float64).cpu())
    total = torch.cat(sums, dim=1)
    step = mix.rate_hz / _STEPS_PER_SECOND
    window = min(round(_WINDOW_STEPS * step), mix.length_samples)
    count = int((mix.length_samples - window) / step) + 1
    starts = (torch.arange(count) * step).long()
    return total[:, starts + window] - total[:, starts]
