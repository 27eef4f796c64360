"""Gains that preserve the formants of a voice while its pitch changes."""

from __future__ import annotations

import torch
from torch import Tensor

_FINEST_S = 0.0016
"""Highest quefrency of the envelope: half a period of 310 Hz, the pitch of a voice."""

_STEPS = 8
_FLOOR_NEPERS = 9.2
"""Floor of the envelope: 80 dB below the highest peak of a frame."""

_GREATEST_NEPERS = 2.8
"""24 dB."""


def formant_gains(power: Tensor, pitch_factor: float, sample_rate: int) -> Tensor:
    """Return gains that give each frequency its present envelope after multiplication by a factor.

    Shape: power `(frames, bins)` of a window of `2 * (bins - 1)` samples, to gains of the same.
    """
    envelope = true_envelope(power, round(_FINEST_S * sample_rate))
    bins = power.shape[1]
    at = (torch.arange(bins, device=power.device) * pitch_factor).clamp_max(bins - 1)
    low = at.long().clamp_max(bins - 2)
    there = torch.lerp(envelope[:, low], envelope[:, low + 1], at - low)
    return (there - envelope).clamp(-_GREATEST_NEPERS, _GREATEST_NEPERS).exp()


def true_envelope(power: Tensor, order: int) -> Tensor:
    """Return a smooth curve over the peaks of a spectrum, in nepers of magnitude.

    Cepstral smoothing up to quefrency `order` in samples, repeated with everything below the curve
    raised to it. A. Röbel and X. Rodet, "Efficient spectral envelope estimation and its application
    to pitch shifting and envelope preservation", DAFx 2005. Shape: `(frames, bins)` to the same.
    """
    magnitude = 0.5 * power.clamp_min(torch.finfo(power.dtype).tiny).log()
    magnitude = magnitude.maximum(magnitude.amax(1, keepdim=True) - _FLOOR_NEPERS)
    size = 2 * (power.shape[1] - 1)
    quefrency = torch.arange(size, device=power.device)
    kept = torch.minimum(quefrency, size - quefrency) <= order
    envelope = magnitude
    for _ in range(_STEPS):
        cepstrum = torch.fft.irfft(envelope.maximum(magnitude), n=size)
        envelope = torch.fft.rfft(cepstrum * kept).real
    return envelope
