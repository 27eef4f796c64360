"""Beats of a mashup as a time grid, and their subdivision in each song."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.plan_grid import TempoSpan

_TOLERANCE_S = 0.020
_MIN_ADVANTAGE = 0.05
_MIN_ATTACKS = 8


@dataclass(frozen=True, eq=False)
class BeatGrid:
    """Times of two beats or more, of which number `first_downbeat` begins a bar."""

    beats_s: Array
    beats_per_bar: int
    first_downbeat: int = 0

    @classmethod
    def of_plan(cls, plan: Plan) -> BeatGrid:
        """Return the beats of a plan."""
        per_bar = plan.grid.beats_per_bar
        beats = range(plan.grid.bars * per_bar + 1)
        return cls(np.array([plan.grid.time_at(beat / per_bar) for beat in beats]), per_bar)

    @classmethod
    def of_span(cls, span: TempoSpan, beats_per_bar: int) -> BeatGrid:
        """Return the beats in bars of one tempo, as times since the first of them."""
        beats = round((span.end_bar - span.at_bar) * beats_per_bar)
        return cls(np.arange(beats + 1) * span.bar_s / beats_per_bar, beats_per_bar)

    @classmethod
    def of_analysis(cls, analysis: Analysis) -> BeatGrid | None:
        """Return the beats that an analysis found, if any."""
        if len(analysis.beats_s) < 2 or analysis.beats_per_bar is None:
            return None
        beats = np.asarray(analysis.beats_s)
        downbeat = analysis.downbeats_s[0] if analysis.downbeats_s else beats[0]
        return cls(beats, analysis.beats_per_bar, int(np.abs(beats - downbeat).argmin()))

    @property
    def beat_s(self) -> float:
        """Mean duration of a beat."""
        return float(self.beats_s[-1] - self.beats_s[0]) / (len(self.beats_s) - 1)

    @property
    def tempo_bpm(self) -> float:
        """Mean tempo."""
        return 60.0 / self.beat_s

    def shifted(self, shift_s: float) -> BeatGrid:
        """Return the grid with all beats later."""
        return replace(self, beats_s=self.beats_s + shift_s)

    def beat_s_at(self, times_s: Array) -> Array:
        """Return the duration of the beat that plays at each time."""
        playing = np.searchsorted(self.beats_s, times_s, side="right") - 1
        return np.diff(self.beats_s)[np.clip(playing, 0, len(self.beats_s) - 2)]

    def positions(self, times_s: Array) -> Array:
        """Convert times to beats since the first downbeat, extrapolated beyond the ends."""
        beats = self.beats_s
        inside = np.interp(times_s, beats, np.arange(len(beats)))
        before = np.minimum(times_s - beats[0], 0) / (beats[1] - beats[0])
        after = np.maximum(times_s - beats[-1], 0) / (beats[-1] - beats[-2])
        return np.asarray(inside + before + after - self.first_downbeat)

    def bars(self, times_s: Array) -> Array:
        """Return the bar of each time; from half a sixteenth before a bar line it is the next."""
        sixteenth = 0.25
        return np.floor((self.positions(times_s) + sixteenth / 2) / self.beats_per_bar)


@dataclass(frozen=True)
class Subdivision:
    """Subdivision of beats into notes at offsets from 0 to below 1."""

    name: str
    offsets: tuple[float, ...]

    def lags_s(self, positions: Array, beat_s: float | Array) -> Array:
        """Return how much later than the nearest note each position, in beats, is.

        `beat_s` is the duration of the beat at each position, or of all beats.
        """
        offsets = np.array([*self.offsets, 1.0 + self.offsets[0]])
        lags = np.mod(positions, 1.0)[:, None] - offsets
        return np.asarray(lags[np.arange(len(lags)), np.abs(lags).argmin(axis=1)] * beat_s)


STRAIGHT = Subdivision("sixteenths", (0.0, 0.25, 0.5, 0.75))
_SWUNG = (
    Subdivision("triplets", (0.0, 1 / 3, 2 / 3)),
    *(
        Subdivision(f"sixteenths swung {percent} %", (0.0, percent / 200, 0.5, 0.5 + percent / 200))
        for percent in range(53, 71)
    ),
    *(Subdivision(f"eighths swung {percent} %", (0.0, percent / 100)) for percent in range(53, 71)),
)


def find_subdivision(times_s: Array, grid: BeatGrid) -> Subdivision:
    """Return the subdivision that explains attacks best, sixteenths unless clearly another.

    The score is the share of attacks within 20 ms of the subdivision's notes, weighted by proximity
    and corrected for chance, after removal of the median lag.
    """
    if len(times_s) < _MIN_ATTACKS:
        return STRAIGHT
    positions, beat_s = grid.positions(times_s), grid.beat_s_at(times_s)
    scores = {one: _score(positions, beat_s, one) for one in (STRAIGHT, *_SWUNG)}
    best = max(scores, key=lambda one: scores[one])
    return best if scores[best] > scores[STRAIGHT] + _MIN_ADVANTAGE else STRAIGHT


def _score(positions: Array, beat_s: Array, subdivision: Subdivision) -> float:
    lags = subdivision.lags_s(positions, beat_s)
    lags = subdivision.lags_s(positions - np.median(lags / beat_s), beat_s)
    near = float(np.clip(1 - np.abs(lags) / _TOLERANCE_S, 0, None).mean())
    chance = min(0.9, len(subdivision.offsets) * _TOLERANCE_S / float(beat_s.mean()))
    return (near - chance) / (1 - chance)
