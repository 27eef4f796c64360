"""Features of invented songs, and short sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.analysis.form.bars import BANDS, BarFeatures
from mashup_worker.analysis.onsets import RATE_HZ

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array

BAR_S = 2.0

CHORDS = {"a": (0, 9, 5, 7), "b": (2, 10, 2, 10), "c": (4, 4, 11, 11)}
LEVELS_DB = {"a": -12.0, "b": -3.0, "c": -25.0}


def features_of(form: str, *, noise: float = 0.05, seed: int = 0) -> BarFeatures:
    """Return the features of a song with one letter a bar: players, strokes and chords differ."""
    rng = np.random.default_rng(seed)
    levels, strokes, pitches = [], [], []
    for place, letter in enumerate(form):
        register = np.random.default_rng(ord(letter)).uniform(-15, 0, BANDS)
        levels.append(LEVELS_DB[letter] + register + rng.normal(0, 10 * noise, BANDS))
        pattern = np.random.default_rng(ord(letter) + 1).uniform(0, 1, 64)
        strokes.append(pattern + rng.uniform(0, noise, 64))
        halves = rng.uniform(0, noise, 48)
        root = CHORDS[letter][place % 4]
        halves[[2 * root, 2 * root + 1, 24 + 2 * root, 25 + 2 * root]] += 1
        pitches.append(halves)
    table = np.array(levels).T
    return BarFeatures(
        edges_s=1.0 + BAR_S * np.arange(len(form) + 1),
        levels_db=table,
        strokes=np.array(strokes).T,
        pitches=np.array(pitches).T,
        power=(10 ** (table / 10)).sum(axis=0),
    )


def tone(hz: float, duration_s: float, gain: float = 0.3) -> torch.Tensor:
    """Return a sine at the rate of the onsets, shape `(samples,)`."""
    times = torch.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return gain * torch.sin(2 * torch.pi * hz * times)


def silence(duration_s: float) -> torch.Tensor:
    """Return silence at the rate of the onsets."""
    return torch.zeros(round(duration_s * RATE_HZ))


def even(step_s: float, count: int) -> Array:
    """Return instants at equal distances from 0."""
    return step_s * np.arange(count)
