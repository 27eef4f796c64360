"""Strength of the pitch classes over time, and the tuning of a song.

Spectral peaks with interpolated frequencies are folded into twelve classes, as in the harmonic
pitch class profile of E. Gómez, "Tonal description of polyphonic audio for music content
processing", INFORMS Journal on Computing 18 (2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mashup_worker.analysis.frames import as_batch, magnitudes
from mashup_worker.dsp.hpss import median_filter, soft_mask

RATE_HZ = 11_025
"""Sample rate of the input."""

HOP_SAMPLES = 512
FRAME_RATE_HZ = RATE_HZ / HOP_SAMPLES
_WINDOW_SAMPLES = 4096
_LOWEST_HZ, _HIGHEST_HZ = 32.0, 2_100.0
_BASS_HZ = 180.0
_HARMONIC_FRAMES = 15
_PERCUSSIVE_BINS = 31
_A4_HZ = 440.0
_CENTS_PER_BIN = 10
_FINE_BINS = 1200 // _CENTS_PER_BIN
_TINY = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class Chroma:
    """Strength of the pitch classes over time, from C upwards.

    Attributes:
        treble: strength above the bass register, shape `(..., 12, frames)`, 0 and up.
        bass: strength in the bass register, same shape.
        tuning_cents: distance of A from 440 Hz, shape `(...)`, -50 to 50.
        clarity: concentration of the pitches on one semitone grid, shape `(...)`, 0 to 1.
    """

    treble: Tensor
    bass: Tensor
    tuning_cents: Tensor
    clarity: Tensor

    def between(self, first: int, stop: int | None = None) -> Chroma:
        """Return the chroma of a part, from frame `first` until `stop` or the end."""
        part = slice(first, stop)
        return replace(self, treble=self.treble[..., part], bass=self.bass[..., part])


@dataclass(frozen=True, eq=False, kw_only=True)
class Peaks:
    """Spectral peaks of a batch of spectrograms, in one list.

    Attributes:
        song: index in the batch, shape `(peaks,)`.
        frame: index of the frame, same shape.
        pitch: pitch in semitones, A4 = 440 Hz = 69, same shape.
        strength: magnitude of the harmonic part, above 0, same shape.
    """

    song: Tensor
    frame: Tensor
    pitch: Tensor
    strength: Tensor


def chroma(samples: Tensor) -> Chroma:
    """Compute the chroma of mono sound at `RATE_HZ`; frame `i` is at `i / FRAME_RATE_HZ`.

    Shape: `(..., samples)`; leading sizes are a batch.
    """
    flat = as_batch(samples)
    width_hz = RATE_HZ / _WINDOW_SAMPLES
    low, high = int(_LOWEST_HZ / width_hz), int(_HIGHEST_HZ / width_hz)
    fine: list[Tensor] = []
    grid_sums = torch.zeros(3, len(flat), device=samples.device)
    for magnitude, first, last in magnitudes(
        flat,
        _WINDOW_SAMPLES,
        HOP_SAMPLES,
        bins=slice(low - 1, high + 2),
        context=_HARMONIC_FRAMES // 2,
    ):
        found = _peaks(magnitude, slice(first, last), low * width_hz, width_hz)
        grid_sums += _grid_sums(found, len(flat))
        fine.append(_fine_chroma(found, len(flat), last - first))
    tuning_cents, clarity = _tuning(grid_sums)
    folded = _fold(torch.cat(fine, dim=1), tuning_cents)
    lead = samples.shape[:-1]
    treble, bass = (part.reshape(*lead, *part.shape[1:]) for part in folded)
    return Chroma(
        treble=treble,
        bass=bass,
        tuning_cents=tuning_cents.reshape(lead),
        clarity=clarity.reshape(lead),
    )


def _peaks(magnitude: Tensor, frames: slice, lowest_hz: float, width_hz: float) -> Peaks:
    """Find the peaks of the harmonic part; `magnitude` has one more bin on each side."""
    strength = magnitude[..., 1:-1] * _harmonic_share(magnitude[..., 1:-1])
    inner = magnitude[:, frames]
    left, here, right = inner[..., :-2], inner[..., 1:-1], inner[..., 2:]
    strength = torch.where((here > left) & (here >= right), strength[:, frames], 0.0)
    song, frame, place = torch.nonzero(strength, as_tuple=True)
    left, here, right = (torch.log(inner[song, frame, place + k] + _TINY) for k in range(3))
    # The parabola through the logarithms of three bins peaks near the true frequency.
    bend = (left - 2 * here + right).clamp_max(-_TINY)
    shift = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    hz = lowest_hz + (place + shift) * width_hz
    pitch = 69 + 12 * torch.log2(hz / _A4_HZ)
    return Peaks(song=song, frame=frame, pitch=pitch, strength=strength[song, frame, place])


def _harmonic_share(magnitude: Tensor) -> Tensor:
    harmonic = median_filter(magnitude.transpose(-1, -2).contiguous(), _HARMONIC_FRAMES)
    percussive = median_filter(magnitude.contiguous(), _PERCUSSIVE_BINS)
    return soft_mask(harmonic.transpose(-1, -2), percussive)


def _grid_sums(peaks: Peaks, songs: int) -> Tensor:
    """Sum cosine, sine and strength of each song's offsets from the semitones: `(3, songs)`."""
    angle = 2 * torch.pi * peaks.pitch
    terms = torch.stack([torch.cos(angle), torch.sin(angle), torch.ones_like(angle)])
    sums = terms.new_zeros(3, songs)
    return sums.index_add_(1, peaks.song, peaks.strength * terms)


def _tuning(grid_sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return the circular mean of the offsets from the semitones in cents, and its length."""
    real, imaginary, total = grid_sums
    clarity = torch.hypot(real, imaginary) / total.clamp_min(1e-12)
    return torch.atan2(imaginary, real) / (2 * torch.pi) * 100, clarity


def _fine_chroma(peaks: Peaks, songs: int, frames: int) -> Tensor:
    """Sum compressed strengths of treble and bass in pitch classes of ten cents.

    The tuning is known only after the last stretch of frames; such small steps can be rotated by
    it then.

    Returns:
        Shape `(songs, frames, 2 * _FINE_BINS)`.
    """
    bass_pitch = 69 + 12 * math.log2(_BASS_HZ / _A4_HZ)
    is_bass = torch.sigmoid(1.5 * (bass_pitch - peaks.pitch))
    step = (peaks.pitch * (100 / _CENTS_PER_BIN)).round().long().remainder(_FINE_BINS)
    place = (peaks.song * frames + peaks.frame) * 2 * _FINE_BINS + step
    folded = peaks.strength.new_zeros(songs * frames * 2 * _FINE_BINS)
    folded.index_add_(0, place, (peaks.strength * (1 - is_bass)).sqrt())
    folded.index_add_(0, place + _FINE_BINS, (peaks.strength * is_bass).sqrt())
    return folded.reshape(songs, frames, 2 * _FINE_BINS)


def _fold(fine: Tensor, tuning_cents: Tensor) -> tuple[Tensor, Tensor]:
    """Fold treble and bass into twelve classes, each `(batch, 12, frames)`.

    Weights fall as a squared cosine, so that pitches between two classes count little.
    """
    cents = torch.arange(_FINE_BINS, device=fine.device) * _CENTS_PER_BIN
    pitch = (cents - tuning_cents[:, None]) / 100
    away = pitch[..., None] - torch.arange(12, device=fine.device)
    away = (away + 6).remainder(12) - 6
    share = torch.where(away.abs() <= 0.5, torch.cos(torch.pi * away).square(), 0.0)
    parts = fine.unflatten(-1, (2, _FINE_BINS))
    treble, bass = torch.einsum("ntrf,nfc->rnct", parts, share)
    return treble, bass
