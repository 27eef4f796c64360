"""Chords by beat: likelihoods of chords, and the likeliest series of them.

Without a network, the pitch classes of each beat are compared with templates of major and minor
chords (T. Fujishima, "Realtime chord recognition of musical sound", ICMC 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis import chroma as chroma_module
from mashup_worker.analysis.form.bars import means_between
from mashup_worker.analysis.form.result import ChordSpan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.chroma import Chroma

ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
NO_CHORD = "N"
TEMPLATE_LABELS = (*(f"{r}:maj" for r in ROOTS), *(f"{r}:min" for r in ROOTS), NO_CHORD)

_BASS_SHARE = 0.5
_THIRD, _SEVENTH = 0.9, 0.2
_SHARPNESS = 25.0
_NO_CHORD_FIT = 0.2
_QUIET_SHARE = 0.05
_CHANGE, _CHANGE_WITHIN_BAR = 4.0, 8.0
"""Cost of a change of chord at a downbeat and at another beat, in log likelihood."""


@dataclass(frozen=True, eq=False)
class BeatChords:
    """Likelihoods of chords.

    Attributes:
        labels: chords in the syntax of C. Harte.
        log_likelihoods: shape `(len(labels), beats)`; an offset for each beat is free.
    """

    labels: Sequence[str]
    log_likelihoods: Array


def beat_edges_s(beats_s: Sequence[float], duration_s: float) -> Array:
    """Return the beats and the end of the last, shape `(beats + 1,)`; empty for one beat."""
    beats = np.asarray(beats_s, dtype=float)
    if len(beats) < 2:
        return np.zeros(0)
    return np.append(beats, max(beats[-1] + 1e-3, min(duration_s, 2 * beats[-1] - beats[-2])))


def template_chords(harmony: Chroma, edges_s: Array) -> BeatChords:
    """Compare the pitch classes of each beat with the 24 major and minor chords."""
    treble, bass = (
        means_between(part.double().cpu().numpy(), edges_s * chroma_module.FRAME_RATE_HZ + 0.5)
        for part in (harmony.treble, harmony.bass)
    )
    treble, bass = (part / max(float(part.sum(axis=0).mean()), 1e-9) for part in (treble, bass))
    both = treble + _BASS_SHARE * bass
    unit = both / np.maximum(np.sqrt(np.square(both).sum(axis=0)), 1e-9)
    fit = np.concatenate([_templates() @ unit, np.full((1, unit.shape[1]), _NO_CHORD_FIT)])
    fit[:-1, treble.sum(axis=0) < _QUIET_SHARE] = 0
    return BeatChords(TEMPLATE_LABELS, _SHARPNESS * fit)


def chord_spans(
    chords: BeatChords, edges_s: Array, downbeats_s: Sequence[float]
) -> list[ChordSpan]:
    """Return the likeliest series of chords; they change more readily where a bar begins."""
    if not len(edges_s):
        return []
    bar_starts = np.isin(edges_s[:-1], np.asarray(downbeats_s))
    costs = np.where(bar_starts, _CHANGE, _CHANGE_WITHIN_BAR)
    path = likeliest_path(chords.log_likelihoods, costs)
    shares = np.exp(chords.log_likelihoods - chords.log_likelihoods.max(axis=0))
    shares = shares / shares.sum(axis=0)
    spans, first = [], 0
    for state, run in groupby(path):
        stop = first + len(list(run))
        confidence = float(shares[state, first:stop].mean())
        label = chords.labels[state]
        spans.append(ChordSpan(float(edges_s[first]), float(edges_s[stop]), label, confidence))
        first = stop
    return spans


def likeliest_path(log_likelihoods: Array, costs: Array) -> list[int]:
    """Return the states with the highest sum of log likelihoods less the cost of each change.

    Args:
        log_likelihoods: shape `(states, steps)`.
        costs: cost of a change to each step, shape `(steps,)`; the first is not used.
    """
    states, steps = log_likelihoods.shape
    best = log_likelihoods[:, 0].copy()
    before: NDArray[np.intp] = np.zeros((steps, states), dtype=np.intp)
    for step in range(1, steps):
        top = int(best.argmax())
        changed = best[top] - costs[step]
        before[step] = np.where(best >= changed, np.arange(states), top)
        best = np.maximum(best, changed) + log_likelihoods[:, step]
    path = [int(best.argmax())]
    for step in range(steps - 1, 0, -1):
        path.append(int(before[step, path[-1]]))
    return path[::-1]


def chord_at(
    chords: Sequence[ChordSpan], start_s: float, stop_s: float
) -> tuple[str, float] | None:
    """Return the chord that sounds longest in a time, and its share times its confidence."""
    lengths: dict[str, float] = {}
    sure: dict[str, float] = {}
    for span in chords:
        shared_s = min(span.stop_s, stop_s) - max(span.start_s, start_s)
        if shared_s > 0:
            lengths[span.label] = lengths.get(span.label, 0.0) + shared_s
            sure[span.label] = sure.get(span.label, 0.0) + shared_s * span.confidence
    if not lengths:
        return None
    label = max(lengths, key=lambda name: lengths[name])
    return label, min(1.0, sure[label] / max(stop_s - start_s, 1e-9))


def _templates() -> Array:
    """Return unit templates of the major and then of the minor chords, shape `(24, 12)`."""
    rows = []
    for third in (4, 3):
        degrees = np.zeros(12)
        degrees[[0, third, 7, 10]] = 1.0, _THIRD, 1.0, _SEVENTH
        rows += [np.roll(degrees, root) for root in range(12)]
    table = np.array(rows)
    return np.asarray(table / np.sqrt(np.square(table).sum(axis=1, keepdims=True)))
