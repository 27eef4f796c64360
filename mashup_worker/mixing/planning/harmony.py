"""Pitch-class profiles of stems, and their correlation under transposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.chroma import RATE_HZ, chroma
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.song import DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from mashup_worker.mixing.song import MixSong

MAX_SHIFT_SEMITONES = 2
"""Largest transposition of a song where no key is requested."""

_BASS_SHARE = 0.5


@dataclass(frozen=True)
class PitchAgreement:
    """Correlations of two pitch-class profiles, the first 0 to 11 semitones up."""

    by_rotation: tuple[float, ...]

    @property
    def best_rotation(self) -> int:
        """Semitones up with the highest correlation, 0 to 11."""
        return max(range(12), key=lambda rotation: self.by_rotation[rotation])

    @property
    def best_shift(self) -> int:
        """The same as the smallest transposition, -5 to 6."""
        return (self.best_rotation + 5) % 12 - 5

    @property
    def is_known(self) -> bool:
        """Whether both profiles contain pitch."""
        return any(self.by_rotation)

    def at(self, semitones: int) -> float:
        """Return the correlation after a transposition, up or down."""
        return self.by_rotation[semitones % 12]


def song_pitch_profile(songs: Iterable[MixSong], *, vocals: bool) -> Tensor:
    """Return the pitch-class profile of songs' vocals, or of their instruments without drums."""
    return pitch_class_profile(
        stem.audio
        for song in songs
        for kind, stem in song.stems.items()
        if kind != DRUMS and is_vocal(kind) == vocals
    )


def pitch_class_profile(stems: Iterable[Audio]) -> Tensor:
    """Return the share of each pitch class from C up: float64 `(12,)` with sum 1, or 0 for silence.

    The stems play together, without drums, at one sample rate. Frames are weighted by the loudness
    of their chroma. The bass counts half, since it plays roots.
    """
    total: Tensor | None = None
    sample_rate = RATE_HZ
    for audio in stems:
        mono, sample_rate = audio.samples.mean(0, keepdim=True), audio.sample_rate
        if total is None:
            total = mono
        elif mono.shape[1] > total.shape[1]:
            total = mono.index_add(1, torch.arange(total.shape[1]), total)
        else:
            total = total.index_add(1, torch.arange(mono.shape[1]), mono)
    if total is None or not total.shape[1] or not total.any():
        return torch.zeros(12, dtype=torch.float64)
    found = chroma(resample(Audio(total.cpu(), sample_rate), RATE_HZ).samples[0])
    classes = (found.treble + _BASS_SHARE * found.bass).double().sum(dim=-1)
    profile: Tensor = classes / classes.sum().clamp_min(1e-12)
    return profile


def compare_profiles(transposed: Tensor, fixed: Tensor) -> PitchAgreement:
    """Correlate two profiles at every transposition of the first."""
    a, b = (one - one.mean() for one in (transposed, fixed))
    scale = float(a.norm() * b.norm())
    if scale < 1e-9:
        return PitchAgreement((0.0,) * 12)
    return PitchAgreement(tuple(float(a.roll(step) @ b) / scale for step in range(12)))
