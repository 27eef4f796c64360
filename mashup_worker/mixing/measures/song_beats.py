"""Beats of a song in a mashup, which differ from the mashup's in half time and cross-rhythms."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.measures.beats import BeatGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.mixing.plan import Clip, Plan

_EDGE_S = 0.010
"""Attacks up to 10 ms before a clip belong to it, since click-free edges begin early."""


@dataclass(frozen=True, eq=False)
class SongBeatGrid(BeatGrid):
    """Beats of a mashup, in which the positions are those in the beats of one song.

    From each of `starts_s` on, a beat of the mashup lasts `factors` beats of the song, which are
    `phases` ahead of the mashup's. An offset of a clip that is no whole beat stays a lag.
    """

    starts_s: Array = field(default_factory=lambda: np.zeros(1))
    factors: Array = field(default_factory=lambda: np.ones(1))
    phases: Array = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def of_song(cls, plan: Plan, song: str) -> SongBeatGrid:
        """Return the beats of a song by the clips of a plan."""
        whole, per_bar = BeatGrid.of_plan(plan), plan.grid.beats_per_bar
        clips = [clip for clip in plan.clips if plan.sources[clip.source].song == song]
        clips.sort(key=lambda clip: clip.at_bar)
        if not clips:
            return cls(whole.beats_s, per_bar)
        placed = [_factor_and_phase(clip, per_bar) for clip in clips]
        starts_s = [plan.grid.time_at(clip.at_bar) - _EDGE_S for clip in clips]
        return cls(
            whole.beats_s,
            per_bar,
            starts_s=np.array(starts_s),
            factors=np.array([factor for factor, _ in placed]),
            phases=np.array([phase for _, phase in placed]),
        )

    def positions(self, times_s: Array) -> Array:
        """Convert times to beats of the song, with an arbitrary whole number for each clip."""
        playing = self._playing(times_s)
        return np.asarray(super().positions(times_s) * self.factors[playing] + self.phases[playing])

    def beat_s_at(self, times_s: Array) -> Array:
        """Return the duration of the song's beat that plays at each time."""
        return np.asarray(super().beat_s_at(times_s) / self.factors[self._playing(times_s)])

    def bars(self, times_s: Array) -> Array:
        """Return the bar of the mashup of each time."""
        return BeatGrid(self.beats_s, self.beats_per_bar).bars(times_s)

    def _playing(self, times_s: Array) -> NDArray[np.intp]:
        after = np.searchsorted(self.starts_s, times_s, side="right")
        return np.maximum(after - 1, 0)


def _factor_and_phase(clip: Clip, beats_per_bar: int) -> tuple[float, float]:
    """Return the beats of a song per beat of the mashup, and its phase, below 1.

    A song in double time is counted in the mashup's beats, since its own are twice as long.
    """
    factor = Fraction(clip.tempo_factor).limit_denominator(4)
    if abs(float(factor) - clip.tempo_factor) > 1e-6 or factor in (1, Fraction(1, 2)):
        return 1.0, 0.0
    ahead = beats_per_bar * (clip.from_bar - clip.at_bar * clip.tempo_factor)
    phase = round(ahead * factor.denominator) / factor.denominator
    return float(factor), phase % 1.0
