"""Boundaries between sections: bars at which levels, strokes or harmony change.

Each bar start gets the odds of a boundary from the bars that it divides, and the likeliest series
of sections is found with a preference for the usual lengths.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.form.weights import log_odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.analysis.form.bars import BarFeatures

EVIDENCE = ("levels 1", "levels 2", "levels 4", "strokes 2", "strokes 4", "pitches 4", "unrest")
"""Change from this many bars before a place to as many after it, and the change within them."""

NEEDED_ODDS = -2.0
"""Log odds at which a boundary is worth it, before the length of the sections counts."""

_AROUND = 4
_LONGEST_BARS = 64


def boundary_log_odds(features: BarFeatures) -> Array:
    """Return the log odds of a boundary at the start of each bar but the first, `(bars - 1,)`."""
    return log_odds("boundary", boundary_evidence(features))


def boundary_evidence(features: BarFeatures) -> Array:
    """Return the evidence for a boundary at each inner bar start.

    The second half of the columns is how far the first stands out among its neighbors.

    Shape: `(bars - 1, 2 * len(EVIDENCE))`.
    """
    levels, strokes = features.levels_db, features.strokes
    pitches = features.pitch_classes
    columns = [
        *(_steps_db(levels, reach) for reach in (1, 2, 4)),
        *(_turns(strokes, reach) for reach in (2, 4)),
        _turns(pitches, 4),
        _unrest_db(levels, _AROUND),
    ]
    change = np.stack(columns, axis=1)
    mean = change.mean(axis=0) + 1e-6
    near = np.stack(
        [change[max(0, at - _AROUND) : at + _AROUND + 1].mean(axis=0) for at in range(len(change))]
    )
    return np.concatenate([np.log(change + 0.1 * mean), (change - near) / mean], axis=1)


def divided(odds: Array, needed: float = NEEDED_ODDS) -> list[int]:
    """Return the edges of the likeliest sections in bars, from 0 to `len(odds) + 1`."""
    bars = len(odds) + 1
    best = np.full(bars + 1, -np.inf)
    best[0], before = 0.0, np.zeros(bars + 1, dtype=int)
    gain = np.append(odds - needed, 0.0)
    for stop in range(1, bars + 1):
        starts = np.arange(max(0, stop - _LONGEST_BARS), stop)
        outer = (starts == 0) | (stop == bars)
        scores = best[starts] + _length_scores(stop - starts, outer)
        at = int(scores.argmax())
        best[stop], before[stop] = scores[at] + gain[stop - 1], starts[at]
    edges = [bars]
    while edges[-1] > 0:
        edges.append(int(before[edges[-1]]))
    return edges[::-1]


def _length_scores(bars: Indices, outer: NDArray[np.bool_]) -> Array:
    """Return the log likelihood of lengths; the first and the last section may be cut short."""
    score = np.select([bars % 4 == 0, bars % 2 == 0], [0.0, -1.0], -2.5)
    score = np.where(outer & (bars <= 2), np.maximum(score, -1.5), score)
    return np.asarray(score - (bars < 2))


def _sides(rows: Array, reach: int) -> tuple[Array, Array]:
    """Return means before and after each inner bar start, each `(rows, bars - 1)`."""
    bars = rows.shape[1]
    sums = np.pad(np.cumsum(rows, axis=1), ((0, 0), (1, 0)))
    at = np.arange(1, bars)
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach, bars)
    return (sums[:, at] - sums[:, low]) / (at - low), (sums[:, high] - sums[:, at]) / (high - at)


def _steps_db(levels_db: Array, reach: int) -> Array:
    before, after = _sides(levels_db, reach)
    return np.asarray(np.sqrt(np.square(after - before).mean(axis=0)))


def _turns(rows: Array, reach: int) -> Array:
    before, after = _sides(rows, reach)
    return cosine_distance(before, after)


def _unrest_db(levels_db: Array, reach: int) -> Array:
    """Return the spread of the levels within the bars on both sides."""
    before, after = _sides(levels_db, reach)
    squares = _sides(np.square(levels_db), reach)
    spread = [
        np.sqrt(np.maximum(square - np.square(mean), 0).mean(axis=0))
        for mean, square in zip((before, after), squares, strict=True)
    ]
    return np.asarray(0.5 * (spread[0] + spread[1]))


def cosine_distance(first: Array, second: Array) -> Array:
    """Return one minus the cosine between columns, shape `(rows, n)` twice to `(n,)`."""
    norms = np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
    return np.asarray(1 - (first * second).sum(axis=0) / np.maximum(norms, 1e-9))


def spans_of(edges: Sequence[int]) -> list[slice]:
    """Return the bars of each section."""
    return [slice(first, stop) for first, stop in pairwise(edges)]
