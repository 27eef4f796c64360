"""The beats that a mashup is measured by, and where between them its songs play."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.plan import Plan

_EXPLAINED_WITHIN_S = 0.020
_CLEARLY_BETTER = 0.05
_FEWEST_ATTACKS = 8


@dataclass(frozen=True, eq=False)
class BeatGrid:
    """Beats in time.

    Attributes:
        beats_s: when they are, rising; two or more.
        beats_per_bar: 3 or 4.
        first_downbeat: which of them begins a bar.
    """

    beats_s: Array
    beats_per_bar: int
    first_downbeat: int = 0

    @classmethod
    def of_plan(cls, plan: Plan) -> BeatGrid:
        """The beats that a plan says."""
        count = plan.grid.bars * plan.grid.beats_per_bar + 1
        return cls(np.arange(count) * 60.0 / plan.grid.tempo_bpm, plan.grid.beats_per_bar)

    @classmethod
    def of_analysis(cls, analysis: Analysis) -> BeatGrid | None:
        """The beats that were heard; None where none were."""
        if len(analysis.beats_s) < 2 or analysis.beats_per_bar is None:
            return None
        beats = np.asarray(analysis.beats_s)
        downbeat = analysis.downbeats_s[0] if analysis.downbeats_s else beats[0]
        return cls(beats, analysis.beats_per_bar, int(np.abs(beats - downbeat).argmin()))

    @property
    def beat_s(self) -> float:
        """Mean length of a beat."""
        return float(self.beats_s[-1] - self.beats_s[0]) / (len(self.beats_s) - 1)

    @property
    def tempo_bpm(self) -> float:
        """Mean tempo."""
        return 60.0 / self.beat_s

    def later(self, shift_s: float) -> BeatGrid:
        """The same, all beats later."""
        return replace(self, beats_s=self.beats_s + shift_s)

    def at_twice_the_tempo(self) -> BeatGrid:
        """The same with a beat more between every two."""
        count = len(self.beats_s)
        beats_s = np.interp(np.arange(2 * count - 1) / 2, np.arange(count), self.beats_s)
        return replace(self, beats_s=beats_s, first_downbeat=2 * self.first_downbeat)

    def positions(self, times_s: Array) -> Array:
        """Moments in beats since the first downbeat; beyond the ends the outermost beats go on."""
        beats = self.beats_s
        inside = np.interp(times_s, beats, np.arange(len(beats)))
        before = np.minimum(times_s - beats[0], 0) / (beats[1] - beats[0])
        after = np.maximum(times_s - beats[-1], 0) / (beats[-1] - beats[-2])
        return np.asarray(inside + before + after - self.first_downbeat)

    def bars(self, times_s: Array) -> Array:
        """The bar nearest whose beginning, or after whose beginning, each moment lies."""
        sixteenth = 0.25
        return np.floor((self.positions(times_s) + sixteenth / 2) / self.beats_per_bar)


@dataclass(frozen=True)
class Feel:
    """How beats are divided.

    Attributes:
        name: what musicians call it.
        places: where notes lie in a beat, from 0 up to 1.
    """

    name: str
    places: tuple[float, ...]

    def at_half_the_tempo(self) -> Feel:
        """The same in beats twice as long, each of which holds two of these."""
        places = tuple((beat + place) / 2 for beat in (0, 1) for place in self.places)
        return Feel(f"{self.name} in half time", places)

    def lags_s(self, positions: Array, beat_s: float) -> Array:
        """How much later than the nearest place each position in beats lies, in seconds."""
        places = np.array([*self.places, 1.0 + self.places[0]])
        away = np.mod(positions, 1.0)[:, None] - places
        return np.asarray(away[np.arange(len(away)), np.abs(away).argmin(axis=1)] * beat_s)


STRAIGHT = Feel("sixteenths", (0.0, 0.25, 0.5, 0.75))
_SWUNG = (
    Feel("triplets", (0.0, 1 / 3, 2 / 3)),
    *(
        Feel(f"sixteenths swung {percent} %", (0.0, percent / 200, 0.5, 0.5 + percent / 200))
        for percent in range(53, 71)
    ),
    *(Feel(f"eighths swung {percent} %", (0.0, percent / 100)) for percent in range(53, 71)),
)


def feel_of(times_s: Array, grid: BeatGrid) -> Feel:
    """The division of beats that explains a song's attacks best, sixteenths unless clearly others.

    What it explains is how many attacks lie within 20 ms of its places, nearer ones counting for
    more, over what chance would bring there; wherever all lie early or late alike, that is left
    aside here.
    """
    if len(times_s) < _FEWEST_ATTACKS:
        return STRAIGHT
    positions = grid.positions(times_s)
    scores = {feel: _explained(positions, grid.beat_s, feel) for feel in (STRAIGHT, *_SWUNG)}
    best = max(scores, key=lambda feel: scores[feel])
    return best if scores[best] > scores[STRAIGHT] + _CLEARLY_BETTER else STRAIGHT


def _explained(positions: Array, beat_s: float, feel: Feel) -> float:
    lags = feel.lags_s(positions, beat_s)
    lags = feel.lags_s(positions - np.median(lags) / beat_s, beat_s)
    near = float(np.clip(1 - np.abs(lags) / _EXPLAINED_WITHIN_S, 0, None).mean())
    chance = min(0.9, len(feel.places) * _EXPLAINED_WITHIN_S / beat_s)
    return (near - chance) / (1 - chance)
