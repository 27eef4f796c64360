"""Beat level and bars of a song, scored as one decision over all possible meters.

A `Meter` combines a beat period related to the pulse, a phase, the beats per bar, and the first
beat of a bar. The evidence for it is a row of named features; their weighted sum decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.feature_streams import STROKES, FeatureStreams, standardized
from mashup_worker.analysis.onsets import FRAME_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.analysis.arrays import Array

LEVELS = (1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 8 / 3, 3, 4)
"""Beat periods to try, in periods of the pulse. 3/8 and 8/3 are included because a dotted rhythm is
often stronger than the beat against which it is played."""

MIN_BEATS = 8
"""Beat grids with fewer beats are not scored."""

_PHASES = 48
_KEPT_PHASES = 6
_BLUR = {-2: 1, -1: 2, 0: 3, 1: 2, 2: 1}
_FLUX, _STRUCK = slice(0, 4), slice(0, len(STROKES))
_KICK, _SNARE, _ALL = STROKES.index("kick"), STROKES.index("snare"), STROKES.index("all")
_PHASE_WEIGHTS = np.array([1.5, 1.0, 1.0, 0.5])


@dataclass(frozen=True)
class Beats:
    """Possible beat grid: beat `i` lies at pulse `offset + i * level`.

    Attributes:
        level: length of a beat in periods of the pulse.
        offset: position of the first beat in pulses.
        tempo_bpm: tempo of the beats.
    """

    level: float
    offset: float
    tempo_bpm: float


@dataclass(frozen=True)
class Meter:
    """Possible meter: bars begin at beat `first` and every `beats_per_bar` beats from there."""

    beats: Beats
    beats_per_bar: int
    first: int


@dataclass(frozen=True, eq=False)
class ScoredMeters:
    """Possible meters with the evidence for each.

    Attributes:
        meters: the meters.
        evidence: shape `(len(meters), features)`; `FEATURES` names the columns.
    """

    meters: tuple[Meter, ...]
    evidence: Array


def score_meters(
    streams: FeatureStreams,
    pulse: Array,
    tempo_strength: tuple[Array, Array],
    *,
    tempo_range_bpm: tuple[float, float],
    beats_per_bar: tuple[int, ...] = (3, 4),
) -> ScoredMeters:
    """Return all possible meters with their evidence.

    Args:
        streams: strokes and harmony of the song.
        pulse: instants of the pulse in frames, rising, shape `(instants,)`.
        tempo_strength: tempi in BPM, rising, and the strength of each.
        tempo_range_bpm: lowest and highest tempo to try.
        beats_per_bar: lengths of bars to try.
    """
    meters: list[Meter] = []
    rows: list[list[float]] = []
    for beats in _beat_grids(streams, pulse, tempo_range_bpm):
        grid = _BeatGridEvidence(streams, pulse, beats)
        common = grid.level_evidence(tempo_strength)
        for length in beats_per_bar:
            for first in range(length):
                meters.append(Meter(beats, length, first))
                rows.append(common + grid.bar_evidence(length, first))
    return ScoredMeters(tuple(meters), np.array(rows).reshape(len(meters), len(FEATURES)))


def _beat_grids(
    streams: FeatureStreams, pulse: Array, tempo_range_bpm: tuple[float, float]
) -> Iterator[Beats]:
    period = float(np.median(np.diff(pulse)))
    for level in LEVELS:
        tempo_bpm = 60 * FRAME_RATE_HZ / (period * level)
        if not tempo_range_bpm[0] <= tempo_bpm <= tempo_range_bpm[1]:
            continue
        if (len(pulse) - 1) / level < MIN_BEATS + 1:
            continue
        for offset in _phases(streams, pulse, level):
            yield Beats(level, offset, tempo_bpm)


def _phases(streams: FeatureStreams, pulse: Array, level: float) -> list[float]:
    """Return the offsets in pulses at which beats of this level have the strongest strokes."""
    offsets = np.arange(_PHASES) / _PHASES * level
    count = int((len(pulse) - 1) / level) - 1
    at = offsets[:, None] + np.arange(count) * level
    strokes = streams.at(instants(pulse, at.ravel()))[_FLUX].reshape(4, *at.shape).mean(axis=2)
    profile = _PHASE_WEIGHTS @ strokes
    # Strokes are pooled over a few frames, so peaks are plateaus; the blur gives them a top.
    profile = sum(weight * np.roll(profile, k) for k, weight in _BLUR.items())
    peaks = (profile >= np.roll(profile, 1)) & (profile > np.roll(profile, -1))
    best = sorted(np.flatnonzero(peaks), key=lambda i: -profile[i])[:_KEPT_PHASES]
    # Rounding to twelfths of the pulse is accurate enough and removes duplicate phases.
    return sorted({round(offsets[i] * 12) / 12 % level for i in best})


def instants(pulse: Array, position: Array) -> Array:
    """Return the frames of positions in pulses; both ends are extrapolated."""
    whole = np.clip(np.floor(position).astype(int), 0, len(pulse) - 2)
    step = pulse[whole + 1] - pulse[whole]
    return np.asarray(pulse[whole] + (position - whole) * step)


class _BeatGridEvidence:
    """Evidence for a beat grid: strokes and changes of harmony on and between its beats."""

    def __init__(self, streams: FeatureStreams, pulse: Array, beats: Beats) -> None:
        self.beats = beats
        count = int((len(pulse) - 1 - beats.offset) / beats.level) + 1
        position = beats.offset + np.arange(count) * beats.level
        self.on = streams.at(instants(pulse, position))
        self.half = streams.at(instants(pulse, position + beats.level / 2))
        third, quarter = beats.level / 3, beats.level / 4
        self.third = self._between(streams, pulse, position + third, position + 2 * third)
        self.quarter = self._between(streams, pulse, position + quarter, position + 3 * quarter)
        edges = beats.offset + (np.arange(-1, count + 1)) * beats.level
        self.chord, self.bass = _changes(streams, instants(pulse, edges))
        self.half_chord = _changes(streams, instants(pulse, edges + beats.level / 2))[0]
        self.rows = np.clip(standardized(np.concatenate([self.on, [self.chord, self.bass]])), -3, 3)
        self.half_rows = np.clip(standardized(self.half), -3, 3)

    @staticmethod
    def _between(streams: FeatureStreams, pulse: Array, first: Array, last: Array) -> Array:
        """Return the mean of the strokes at two positions between the beats."""
        return (streams.at(instants(pulse, first)) + streams.at(instants(pulse, last))) / 2

    def level_evidence(self, tempo_strength: tuple[Array, Array]) -> list[float]:
        """Return the evidence for the period and phase of the beats."""
        octaves = math.log2(self.beats.tempo_bpm / 115)
        strength = np.interp(
            math.log2(self.beats.tempo_bpm), np.log2(tempo_strength[0]), tempo_strength[1]
        )
        on, half = self.on.mean(axis=1), self.half.mean(axis=1)
        third, quarter = self.third.mean(axis=1), self.quarter.mean(axis=1)
        return [
            octaves,
            octaves**2,
            float(strength),
            *on,
            *half,
            third[_ALL],
            *quarter[[_KICK, _SNARE, _ALL]],
            float(self.chord.mean()),
            float(self.half_chord.mean()),
        ]

    def bar_evidence(self, length: int, first: int) -> list[float]:
        """Return the evidence for bars of `length` beats of which one begins at beat `first`."""
        here = np.array([self.rows[:, first + k :: length].mean(axis=1) for k in range(length)]).T
        other = 7 - length  # 4 for bars of 3, 3 for bars of 4
        repeats = self._repeats(length) - self._repeats(other)
        if length == 4:
            back = (here[:, 1] + here[:, 3] - here[:, 0] - here[:, 2]) / 2
            figures = [*here[:, 0], *here[:, 2], *back[_STRUCK], repeats]
            return figures + [0.0] * len(_THREE)
        back = (here[:, 1] + here[:, 2]) / 2 - here[:, 0]
        halves = float(
            (self.rows[_STRUCK, 1:-1] * self.half_rows[:, 2:]).mean()
            + (self.rows[_STRUCK, 2:] * self.half_rows[:, :-2]).mean()
        )
        return [0.0] * len(_FOUR) + [*here[:, 0], *back[_STRUCK], repeats, halves, 1.0]

    def _repeats(self, lag: int) -> float:
        if self.rows.shape[1] < 2 * lag + 2:
            return 0.0
        once = (self.rows[:, lag:] * self.rows[:, :-lag]).mean()
        twice = (self.rows[:, 2 * lag :] * self.rows[:, : -2 * lag]).mean()
        return float(once + twice) / 2


def _changes(streams: FeatureStreams, edges: Array) -> tuple[Array, Array]:
    """Return the change of chords and of the bass at each inner edge."""
    treble, bass = streams.pitches(edges)
    return _distance(treble), _distance(bass)


def _distance(chroma: Array) -> Array:
    """Return one minus the cosine between neighbors, shape `(12, n)` to `(n - 1,)`."""
    before, after = chroma[:, :-1], chroma[:, 1:]
    norms = np.sqrt(np.square(before).sum(axis=0) * np.square(after).sum(axis=0))
    return np.asarray(1 - (before * after).sum(axis=0) / np.maximum(norms, 1e-9))


_ON_BEATS = (*STROKES, "chord", "bass")
_LEVEL = (
    "octaves",
    "octaves²",
    "tempogram",
    *(f"{name} on beats" for name in STROKES),
    *(f"{name} on halves" for name in STROKES),
    "all on thirds",
    *(f"{name} on quarters" for name in ("kick", "snare", "all")),
    "chord on beats",
    "chord on halves",
)
_FOUR = (
    *(f"{name} on 1 of 4" for name in _ON_BEATS),
    *(f"{name} on 3 of 4" for name in _ON_BEATS),
    *(f"{name} on 2 and 4" for name in STROKES),
    "repeats by 4",
)
_THREE = (
    *(f"{name} on 1 of 3" for name in _ON_BEATS),
    *(f"{name} on 2 and 3" for name in STROKES),
    "repeats by 3",
    "halves by 3",
    "three",
)
FEATURES = _LEVEL + _FOUR + _THREE
"""Names of the evidence, in order."""
