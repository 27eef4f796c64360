"""Strength of each tempo over time: product of Fourier and autocorrelation tempogram.

A Fourier tempogram responds to a tempo and its multiples, an autocorrelation tempogram to a tempo
and its fractions; their product keeps the tempi in both (G. Peeters, "Template-based estimation of
time-varying tempo", EURASIP JASP 2007; P. Grosche, M. Müller and F. Kurth, "Cyclic tempogram",
ICASSP 2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_STEPS_PER_OCTAVE = 60


@dataclass(frozen=True, eq=False)
class Tempogram:
    """Strength of tempi over time.

    Attributes:
        strength: shape `(..., tempi, frames)`, 0 and up.
        tempi_bpm: shape `(tempi,)`, evenly spaced on a logarithmic axis.
        frame_rate_hz: frames per second; frame 0 is centered on the start of the sound.
    """

    strength: Tensor
    tempi_bpm: Tensor
    frame_rate_hz: float


def tempogram(
    onset_groups: Tensor,
    onset_rate_hz: float,
    *,
    lowest_bpm: float = 30.0,
    highest_bpm: float = 300.0,
    window_s: float = 8.0,
    hop_s: float = 1.0,
) -> Tempogram:
    """Compute the tempogram of onset strength in one or several bands.

    Bands are transformed separately and then added, so that hi-hats between the beats do not
    cancel the kicks on them.

    Shape: `(..., bands, frames)`; leading sizes are a batch.
    """
    window = 2 * round(window_s * onset_rate_hz / 2)
    hop = max(1, round(hop_s * onset_rate_hz))
    octaves = math.log2(highest_bpm / lowest_bpm)
    steps = torch.arange(math.ceil(octaves * _STEPS_PER_OCTAVE) + 1, device=onset_groups.device) / (
        _STEPS_PER_OCTAVE
    )
    tempi_bpm = lowest_bpm * 2**steps
    centered = onset_groups - onset_groups.mean(dim=-1, keepdim=True)
    length = onset_groups.shape[-1]
    padded = F.pad(centered, (window // 2, window // 2 + hop - length % hop))
    frames = padded.unfold(-1, window, hop) * torch.hann_window(window, device=padded.device)
    rhythm = _fourier(frames, tempi_bpm / 60 / onset_rate_hz) * _autocorrelation(
        frames, 60 * onset_rate_hz / tempi_bpm
    )
    return Tempogram(rhythm.sum(dim=-3), tempi_bpm, onset_rate_hz / hop)


def _fourier(frames: Tensor, cycles_per_frame: Tensor) -> Tensor:
    """Return magnitudes at frequencies: `(..., frames, window)` to `(..., tempi, frames)`."""
    time = torch.arange(frames.shape[-1], device=frames.device)
    angle = 2 * torch.pi * cycles_per_frame[:, None] * time
    real = frames @ torch.cos(angle).T
    imaginary = frames @ torch.sin(angle).T
    return torch.hypot(real, imaginary).transpose(-1, -2) / frames.shape[-1]


def _autocorrelation(frames: Tensor, lags: Tensor) -> Tensor:
    """Return the autocorrelation at lags, 1 at lag 0; shapes as in `_fourier`."""
    size = frames.shape[-1]
    spectra = torch.fft.rfft(frames, n=2 * size)
    every = torch.fft.irfft(spectra.abs().square(), n=2 * size)[..., :size]
    every = every / every[..., :1].clamp_min(1e-12)
    below = lags.floor().long().clamp(max=size - 2)
    share = (lags - below).clamp(0, 1)
    value: Tensor = every[..., below] * (1 - share) + every[..., below + 1] * share
    return value.clamp_min(0).transpose(-1, -2)
