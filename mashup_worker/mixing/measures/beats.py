"""Beats of a mashup as a time grid, and their subdivision in each song."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.plan import Plan

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
        count = plan.grid.bars * plan.grid.beats_per_bar + 1
        return cls(np.arange(count) * 60.0 / plan.grid.tempo_bpm, plan.grid.beats_per_bar)

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

    def double_time(self) -> BeatGrid:
        """Return the grid with an additional beat between every two."""
        count = len(self.beats_s)
        beats_s = np.interp(np.arange(2 * count - 1) / 2, np.arange(count), self.beats_s)
        return replace(self, beats_s=beats_s, first_downbeat=2 * self.first_downbeat)

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

    def half_time(self) -> Subdivision:
        """Return the subdivision in beats twice as long."""
        offsets = tuple((beat + offset) / 2 for beat in (0, 1) for offset in self.offsets)
        return Subdivision(f"{self.name} in half time", offsets)

    def lags_s(self, positions: Array, beat_s: float) -> Array:
        """Return how much later than the nearest note each position, in beats, is."""
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
    positions = grid.positions(times_s)
    scores = {one: _score(positions, grid.beat_s, one) for one in (STRAIGHT, *_SWUNG)}
    best = max(scores, key=lambda one: scores[one])
    return best if scores[best] > scores[STRAIGHT] + _MIN_ADVANTAGE else STRAIGHT


def _score(positions: Array, beat_s: float, subdivision: Subdivision) -> float:
    lags = subdivision.lags_s(positions, beat_s)
    lags = subdivision.lags_s(positions - np.median(lags) / beat_s, beat_s)
    near = float(np.clip(1 - np.abs(lags) / _TOLERANCE_S, 0, None).mean())
    chance = min(0.9, len(subdivision.offsets) * _TOLERANCE_S / beat_s)
    return (near - chance) / (1 - chance)
