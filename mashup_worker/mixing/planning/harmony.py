"""Which pitch classes parts have, and how far one has to move to agree with another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.chroma import RATE_HZ, chroma
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

MOST_EACH = 2
"""Semitones that a song is transposed at most, unless asked."""

_BASS_SHARE = 0.5


@dataclass(frozen=True)
class Agreement:
    """How well two sounds agree when one of them moves.

    Attributes:
        by_rotation: correlation of pitch classes with the first sound moved up by 0 to 11
            semitones; -1 to 1. Zeros where one of them has no pitch.
    """

    by_rotation: tuple[float, ...]

    @property
    def best_rotation(self) -> int:
        """The semitones up, 0 to 11, at which they agree best."""
        return max(range(12), key=lambda rotation: self.by_rotation[rotation])

    @property
    def best_shift(self) -> int:
        """The same the short way, -5 to 6."""
        return (self.best_rotation + 5) % 12 - 5

    @property
    def is_known(self) -> bool:
        """Whether both have pitch."""
        return any(self.by_rotation)

    def at(self, semitones: int) -> float:
        """Correlation with the first sound moved by so many semitones, either way."""
        return self.by_rotation[semitones % 12]


def pitch_classes(sounds: Iterable[Audio]) -> Tensor:
    """How much of each pitch class sounds, from C up: float64 `(12,)` that adds up to 1, or to 0.

    Every frame counts by its loudness as chroma tells it; the bass counts half, as it plays roots.

    Args:
        sounds: sounds that are heard together, without drums; one rate, any channels.
    """
    total: Tensor | None = None
    rate_hz = RATE_HZ
    for sound in sounds:
        mono, rate_hz = sound.samples.mean(0, keepdim=True), sound.rate_hz
        if total is None:
            total = mono
        elif mono.shape[1] > total.shape[1]:
            total = mono.index_add(1, torch.arange(total.shape[1]), total)
        else:
            total = total.index_add(1, torch.arange(mono.shape[1]), mono)
    if total is None or not total.shape[1] or not total.any():
        return torch.zeros(12, dtype=torch.float64)
    found = chroma(resample(Audio(total.cpu(), rate_hz), RATE_HZ).samples[0])
    classes = (found.treble + _BASS_SHARE * found.bass).double().sum(dim=-1)
    whole: Tensor = classes / classes.sum().clamp_min(1e-12)
    return whole


def agreement(moved: Tensor, still: Tensor) -> Agreement:
    """Correlation of two sounds' pitch classes at every rotation of the first."""
    a, b = (one - one.mean() for one in (moved, still))
    scale = float(a.norm() * b.norm())
    if scale < 1e-9:
        return Agreement((0.0,) * 12)
    return Agreement(tuple(float(a.roll(step) @ b) / scale for step in range(12)))
