"""Scores of compatibility, 0 to 1 for a perfect match, and their total."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mashup_worker.mixing.keys import camelot_distance
from mashup_worker.mixing.stretch_limit import MAX_STRETCH

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS = {"tempo": 0.35, "key": 0.35, "chords": 0.2, "rhythm": 0.15, "spectrum": 0.15}
"""Weights of the scores in their weighted geometric mean; one score of 0 makes the total 0."""

MIN_SCORE = 0.05
UNKNOWN_SCORE = 0.5
"""Score of an aspect about which one of the songs gives no information."""

_FARTHEST_KEYS = 7


class TempoFit(NamedTuple):
    """Change of speed by which a song fits a tempo, 0.05 for 5 % faster.

    `factor` is 0.5 for a song in half time, 2 in double time.
    """

    factor: float
    change: float


def tempo_score(change: float) -> float:
    """Return the score of a change of speed, 0.05 for 5 % faster."""
    return max(MIN_SCORE, math.sqrt(max(0.0, 1 - abs(change) / MAX_STRETCH)))


def fit_tempo(tempo_bpm: float, target_bpm: float) -> TempoFit:
    """Return the smallest change of speed to a tempo, its half or its double."""
    fits = (TempoFit(factor, factor * target_bpm / tempo_bpm - 1) for factor in (1.0, 0.5, 2.0))
    return min(fits, key=lambda fit: abs(fit.change))


def key_score(key: str, other: str) -> float:
    """Return the score of two keys by their distance on the Camelot wheel."""
    return max(MIN_SCORE, 1 - camelot_distance(key, other) / _FARTHEST_KEYS)


def total_score(scores: Mapping[str, float]) -> float:
    """Return the weighted geometric mean of scores by aspect, of all aspects or of some."""
    weight = math.fsum(WEIGHTS[name] for name in scores)
    return math.prod(
        math.pow(max(0.0, one), WEIGHTS[name] / weight) for name, one in scores.items()
    )
