"""Loops: bars that can be repeated without a seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.form.boundaries import cosine_distance
from mashup_worker.analysis.form.result import Loop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.analysis.form.bars import BarFeatures
    from mashup_worker.analysis.form.result import SingingInterval

LENGTHS_BARS = (8, 4, 2)
_MOST = 12
_LEAST_CONFIDENCE = 0.6
_ALIKE_DB = 8.0
_SEAM_S = 0.15
_SUNG_SEAM = 0.7
_QUIET_DB = -30.0


def find_loops(
    features: BarFeatures, sections: Sequence[slice], singing: Sequence[SingingInterval]
) -> tuple[Loop, ...]:
    """Return the best loops of 8, 4 and 2 bars that do not share bars, best first.

    Going from the last bar of a loop to its first is seamless if the bar that follows the loop is
    like its first bar, or the bar before it like its last. A loop stays within a section.
    """
    found: list[tuple[float, int, int]] = []
    for length in LENGTHS_BARS:
        starts = np.concatenate(
            [np.arange(part.start, part.stop - length + 1) for part in sections] or [np.zeros(0)]
        ).astype(int)
        scores = seam_scores(features, starts, length)
        for start, score in zip(starts.tolist(), scores.tolist(), strict=True):
            if features.total_db[start : start + length].min() < _QUIET_DB:
                continue
            edges_s = features.edges_s[[start, start + length]]
            cut = any(one.start_s + _SEAM_S < edge < one.stop_s - _SEAM_S
                      for one in singing for edge in edges_s)  # fmt: skip
            found.append((score * (_SUNG_SEAM if cut else 1.0), length, start))
    taken = np.zeros(features.bars, dtype=bool)
    loops: list[Loop] = []
    for score, length, start in sorted(found, key=lambda one: (-round(one[0], 2), -one[1], one[2])):
        part = slice(start, start + length)
        if score < _LEAST_CONFIDENCE or len(loops) == _MOST:
            break
        if not taken[part].any():
            taken[part] = True
            start_s, stop_s = features.edges_s[[part.start, part.stop]].tolist()
            loops.append(Loop(start_s, stop_s, length, score))
    return tuple(loops)


def seam_scores(features: BarFeatures, starts: Indices, length: int) -> Array:
    """Return how seamless loops are that start at bars, shape `(starts,)`, 0 to 1."""
    stops = starts + length
    after = np.where(stops < features.bars, likeness(features, starts, stops), 0.0)
    before = np.where(starts > 0, likeness(features, starts - 1, stops - 1), 0.0)
    return np.asarray(np.maximum(after, before))


def likeness(features: BarFeatures, first: Indices, second: Indices) -> Array:
    """Return how alike bars are in level, strokes and pitches, shape `(n,)` twice to `(n,)`."""
    one, other = np.clip(first, 0, features.bars - 1), np.clip(second, 0, features.bars - 1)
    levels, strokes, pitches = features.levels_db, features.strokes, features.pitches
    step_db = np.sqrt(np.square(levels[:, one] - levels[:, other]).mean(axis=0))
    distance = step_db / _ALIKE_DB
    distance = distance + cosine_distance(strokes[:, one], strokes[:, other])
    distance = distance + cosine_distance(pitches[:, one], pitches[:, other])
    return np.asarray(np.exp(-distance))
