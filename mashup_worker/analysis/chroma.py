"""Which pitch classes sound, and how the song is tuned.

Spectral peaks with interpolated frequencies, folded into twelve classes: the harmonic pitch class
profile of E. Gómez, "Tonal description of polyphonic audio for music content processing", INFORMS
Journal on Computing 18 (2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mashup_worker.dsp.hpss import median_filter

RATE_HZ = 11_025
"""Chroma is taken from sound at this rate."""

HOP_SAMPLES = 512
FRAME_RATE_HZ = RATE_HZ / HOP_SAMPLES
_WINDOW_SAMPLES = 4096
_LOWEST_HZ, _HIGHEST_HZ = 32.0, 2_100.0
_BASS_HZ = 180.0
_HARMONIC_FRAMES = 15
_PERCUSSIVE_BINS = 31
_A4_HZ = 440.0


@dataclass(frozen=True, eq=False)
class Peaks:
    """Sinusoids of a spectrogram: bins that are no peak have strength 0.

    Attributes:
        pitch: in semitones above C-1 (MIDI), A4 = 440 Hz = 69, shape `(..., bins, frames)`.
        strength: 0 and up, same shape.
    """

    pitch: Tensor
    strength: Tensor


@dataclass(frozen=True, eq=False)
class Chroma:
    """Pitch classes over time, from C up.

    Attributes:
        treble: of what lies above the bass, shape `(..., 12, frames)`, 0 and up.
        bass: of the bass register, same shape.
        tuning_cents: how far A lies from 440 Hz, shape `(...)`, -50 to 50.
        tuning_clarity: 0 where pitches lie anywhere, 1 where all lie on one grid, shape `(...)`.
    """

    treble: Tensor
    bass: Tensor
    tuning_cents: Tensor
    tuning_clarity: Tensor


def chroma(samples: Tensor) -> Chroma:
    """Chroma of mono sound at `RATE_HZ`; frame `i` tells of time `i / FRAME_RATE_HZ`.

    Shape: `(..., samples)`; leading sizes are a batch.
    """
    peaks = spectral_peaks(samples)
    tuning, clarity = _tuning(peaks)
    shifted = peaks.pitch - tuning[..., None, None] / 100
    bass_pitch = 12 * math.log2(_BASS_HZ / _A4_HZ) + 69
    is_bass = torch.sigmoid(1.5 * (bass_pitch - shifted))
    return Chroma(
        treble=_fold(shifted, peaks.strength * (1 - is_bass)),
        bass=_fold(shifted, peaks.strength * is_bass),
        tuning_cents=tuning,
        tuning_clarity=clarity,
    )


def spectral_peaks(samples: Tensor) -> Peaks:
    """Peaks of the harmonic part of mono sound at `RATE_HZ`."""
    window = torch.hann_window(_WINDOW_SAMPLES, device=samples.device)
    flat = samples.reshape(-1, samples.shape[-1])
    spectra = torch.stft(
        flat,
        _WINDOW_SAMPLES,
        HOP_SAMPLES,
        window=window,
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    width_hz = RATE_HZ / _WINDOW_SAMPLES
    low, high = int(_LOWEST_HZ / width_hz), int(_HIGHEST_HZ / width_hz)
    magnitude = spectra[:, low - 1 : high + 2].abs()
    log = torch.log(magnitude + 1e-9)
    left, here, right = log[:, :-2], log[:, 1:-1], log[:, 2:]
    bend = left - 2 * here + right
    shift = torch.where(bend < 0, 0.5 * (left - right) / bend.clamp_max(-1e-9), 0.0).clamp(
        -0.5, 0.5
    )
    hz = (torch.arange(low, high + 1, device=samples.device)[:, None] + shift) * width_hz
    harmonic = _harmonic_share(magnitude[:, 1:-1])
    is_peak = (here > left) & (here >= right)
    strength = torch.where(is_peak, magnitude[:, 1:-1] * harmonic, 0.0)
    shape = (*samples.shape[:-1], *strength.shape[-2:])
    return Peaks((69 + 12 * torch.log2(hz / _A4_HZ)).reshape(shape), strength.reshape(shape))


def _harmonic_share(magnitude: Tensor) -> Tensor:
    along_time = median_filter(magnitude.contiguous(), _HARMONIC_FRAMES)
    across = median_filter(magnitude.transpose(-1, -2).contiguous(), _PERCUSSIVE_BINS)
    harmonic, percussive = along_time.square(), across.transpose(-1, -2).square()
    return harmonic / (harmonic + percussive).clamp_min(1e-20)


def _tuning(peaks: Peaks) -> tuple[Tensor, Tensor]:
    """The circular mean of the peaks' distances from the semitones, in cents, and its length."""
    weight = peaks.strength
    angle = 2 * torch.pi * peaks.pitch
    real = (weight * torch.cos(angle)).sum(dim=(-1, -2))
    imaginary = (weight * torch.sin(angle)).sum(dim=(-1, -2))
    clarity = torch.hypot(real, imaginary) / weight.sum(dim=(-1, -2)).clamp_min(1e-12)
    return torch.atan2(imaginary, real) / (2 * torch.pi) * 100, clarity


def _fold(pitch: Tensor, strength: Tensor) -> Tensor:
    """Sum of compressed strengths by pitch class, shape `(..., bins, frames)` to `(..., 12, frames)`."""
    away = pitch - pitch.round()
    near = torch.cos(torch.pi * away).square()
    weight = strength.sqrt() * near
    index = pitch.round().long().remainder(12)
    folded = weight.new_zeros(*weight.shape[:-2], 12, weight.shape[-1])
    return folded.scatter_add_(-2, index, weight)
