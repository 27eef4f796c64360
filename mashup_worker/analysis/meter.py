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
from mashup_worker.analysis.result import BEATS_PER_BAR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.analysis.arrays import Array

LEVELS = (1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 8 / 3, 3, 4)
"""Beat periods to try, in periods of the pulse. 3/8 and 8/3 are included because a dotted rhythm is
often stronger than the beat against which it is played."""

MIN_BEATS = 8
"""Beat grids with fewer beats are not scored."""

_WHOLE_BARS = (2, 3, 4)
"""Bars of which every beat is evidence; of the rare longer ones, only the first."""

_STEPS = 12
_LAGS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
_REPEATED = (2, 3, 4, 6, 8, 12, 16)
"""Distances in beats whose repetition is evidence for the level."""

_LEAST_DIFFERENCE = 0.02
_STRUCK_THIRDS = -0.2
_PHASES = 48
_KEPT_PHASES = 6
_BLUR = {-2: 1, -1: 2, 0: 3, 1: 2, 2: 1}
_FLUX = slice(0, 4)
_KICK, _SNARE, _ALL = STROKES.index("kick"), STROKES.index("snare"), STROKES.index("all")
_BETWEEN = [0, _KICK, _SNARE, _ALL]
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
        streams: the strokes and harmony that gave the evidence.
    """

    meters: tuple[Meter, ...]
    evidence: Array
    streams: FeatureStreams


def score_meters(
    streams: FeatureStreams,
    pulse: Array,
    tempo_strength: tuple[Array, Array],
    *,
    tempo_range_bpm: tuple[float, float],
    beats_per_bar: tuple[int, ...] = BEATS_PER_BAR,
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
        for length in grid.possible_bars(beats_per_bar):
            for first in range(length):
                meters.append(Meter(beats, length, first))
                rows.append(common + grid.bar_evidence(length, first))
    evidence = np.array(rows).reshape(len(meters), len(FEATURES))
    return ScoredMeters(tuple(meters), evidence, streams)


def time_signature(streams: FeatureStreams, pulse: Array, meter: Meter) -> str:
    """Return the time signature of a meter: over 8 where most beats divide into three."""
    level, offset = meter.beats.level, meter.beats.offset
    beats = offset + np.arange(int((len(pulse) - 1 - offset) / level)) * level
    thirds, halves = (
        min(
            float(streams.at(instants(pulse, beats + k / parts * level))[_ALL].mean())
            for k in range(1, parts)
        )
        for parts in (3, 2)
    )
    if thirds > max(halves, _STRUCK_THIRDS):
        return f"{3 * meter.beats_per_bar}/8"
    return f"{meter.beats_per_bar}/4"


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
        position = beats.offset + np.arange(count * _STEPS) / _STEPS * beats.level
        steps = streams.at(instants(pulse, position)).reshape(len(STROKES), count, _STEPS)
        self.on, self.half = steps[:, :, 0], steps[:, :, _STEPS // 2]
        self.third = (steps[:, :, _STEPS // 3] + steps[:, :, 2 * _STEPS // 3]) / 2
        self.quarter = (steps[:, :, _STEPS // 4] + steps[:, :, 3 * _STEPS // 4]) / 2
        edges = beats.offset + (np.arange(-1, count + 1)) * beats.level
        self.chord, self.bass = streams.changes(instants(pulse, edges))
        halves = instants(pulse, edges + beats.level / 2)
        self.half_chord, self.half_bass = streams.changes(halves)
        self.rows = np.clip(standardized(np.concatenate([self.on, [self.chord, self.bass]])), -3, 3)
        self.half_rows = np.clip(standardized(self.half), -3, 3)
        pattern = steps.reshape(len(STROKES), -1)
        self.pattern = pattern - pattern.mean(axis=1, keepdims=True)
        self.repeated = np.array(
            [
                _repetition(steps.swapaxes(1, 2).reshape(-1, count)),
                _repetition(self.rows),
                _repetition(self.rows[-2:]),
            ]
        )

    def possible_bars(self, lengths: tuple[int, ...]) -> list[int]:
        """Return the lengths of which the song has two bars or more."""
        return [length for length in lengths if self.on.shape[1] >= 2 * length]

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
            *third[[_KICK, _SNARE, _ALL]],
            *quarter[[_KICK, _SNARE, _ALL]],
            float(self.chord.mean()),
            float(self.bass.mean()),
            float(self.half_chord.mean()),
            float(self.half_bass.mean()),
            *(self._alike(lag) for lag in _LAGS),
            *self.repeated[0, _REPEATED],
            *self.repeated[2, _REPEATED],
        ]

    def bar_evidence(self, length: int, first: int) -> list[float]:
        """Return the evidence for bars of `length` beats of which one begins at beat `first`."""
        places = range(first, first + length)
        here = np.array([self.rows[:, k::length].mean(axis=1) for k in places]).T
        half = np.array([self.half_rows[:, k::length].mean(axis=1) for k in places]).T
        others = [lag for lag in BEATS_PER_BAR if lag % length and length % lag]
        repeats = [
            *self.repeated[:, length],
            *(self.repeated[:, length] - self.repeated[:, others].max(axis=1)),
        ]
        out = []
        for bar in BEATS_PER_BAR:
            shown = range(bar) if bar in _WHOLE_BARS else range(1)
            if bar == length:
                out += [*here[:, shown].ravel(), *half[:, shown][_BETWEEN].ravel(), *repeats, 1.0]
            else:
                out += [0.0] * (len(shown) * (len(_ON_BEATS) + len(_BETWEEN)) + 7)
        return out

    def _alike(self, lag: float) -> float:
        """Return the correlation of the strokes on and between beats at a lag in beats."""
        steps = round(lag * _STEPS)
        if self.pattern.shape[1] <= steps:
            return 0.0
        now, then = self.pattern[:, steps:], self.pattern[:, : self.pattern.shape[1] - steps]
        return float((now * then).sum() / max(float(np.square(self.pattern).sum()), 1e-9))


def _repetition(rows: Array) -> Array:
    """Return how much better rows repeat at each lag than at the lags beside it, up to 1.

    Only neighboring lags are compared, so that music that grows louder or changes its instruments
    does not count as unlike itself.

    Args:
        rows: features of each beat, shape `(features, beats)`.

    Returns:
        Shape `(2 + largest lag,)`; 0 where the song is too short.
    """
    longest = max(_REPEATED) + 1
    difference = np.full(longest + 1, np.nan)
    for lag in range(1, min(longest, rows.shape[1] - 1) + 1):
        difference[lag] = np.square(rows[:, lag:] - rows[:, :-lag]).mean()
    beside = (difference[:-2] + difference[2:]) / 2 + _LEAST_DIFFERENCE
    out = np.zeros(longest + 1)
    out[1:-1] = np.nan_to_num((beside - difference[1:-1]) / beside)
    return np.maximum(out, -1)


_ON_BEATS = (*STROKES, "chord", "bass")
_REPEATING = ("strokes", "beats", "chords")
_LEVEL = (
    "octaves",
    "octaves²",
    "tempogram",
    *(f"{name} on beats" for name in STROKES),
    *(f"{name} on halves" for name in STROKES),
    *(f"{name} on thirds" for name in ("kick", "snare", "all")),
    *(f"{name} on quarters" for name in ("kick", "snare", "all")),
    "chord on beats",
    "bass on beats",
    "chord on halves",
    "bass on halves",
    *(f"alike after {lag:g}" for lag in _LAGS),
    *(f"{name} repeated after {lag}" for name in ("strokes", "chords") for lag in _REPEATED),
)


def _bar_features(bar: int) -> list[str]:
    places = range(bar) if bar in _WHOLE_BARS else range(1)
    between = [STROKES[row] for row in _BETWEEN]
    return [
        *(f"{name} on {place + 1} of {bar}" for name in _ON_BEATS for place in places),
        *(f"{name} after {place + 1} of {bar}" for name in between for place in places),
        *(f"{name} repeat every {bar}" for name in _REPEATING),
        *(f"{name} repeat best every {bar}" for name in _REPEATING),
        f"bars of {bar}",
    ]


FEATURES = (*_LEVEL, *(name for bar in BEATS_PER_BAR for name in _bar_features(bar)))
"""Names of the evidence, in order."""
