"""Beats and bars of a song or a mashup, as a map between musical time and seconds."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from mashup_worker.mixing.grid import MIN_TEMPO_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.plan_grid import PlanGrid

_START_S = 1e-3
"""A first downbeat this close to the start of the sound is moved to it."""

_LONG, _SHORT = 1.5, 0.5
"""Intervals beyond these multiples of their neighbors have a beat too few, or one too many."""

_NEIGHBORS = 4
"""Intervals whose mean continues a tempo that moves."""

_NEAR = 0.25
"""Distance in beats within which a downbeat belongs to a beat."""


@dataclass(frozen=True)
class TempoSegment:
    """Beats of one tempo.

    Attributes:
        beat: index of its first beat.
        start_s: time of that beat.
        tempo_bpm: beats per minute.
    """

    beat: int
    start_s: float
    tempo_bpm: float


@dataclass(frozen=True)
class TempoMap:
    """Beats from bar 1, which begins at or before the sound, to one at or after its end.

    Attributes:
        beats_s: times of the beats, rising.
        bars: indexes of the beats that begin a bar, the first of which is 0.
        numerator, denominator: time signature of a whole bar.
        beats_per_bar: beats of a whole bar; fewer than the numerator in compound meters.
    """

    beats_s: tuple[float, ...]
    bars: tuple[int, ...]
    numerator: int
    denominator: int
    beats_per_bar: int

    @classmethod
    def of_analysis(cls, analysis: Analysis) -> TempoMap | None:
        """Return the map of a song; None without a tempo."""
        if (
            analysis.tempo_bpm is None
            or analysis.tempo_confidence < MIN_TEMPO_CONFIDENCE
            or len(analysis.beats_s) < 2
        ):
            return None
        beats = _even_beats(analysis.beats_s)
        per_bar = analysis.beats_per_bar or 4
        numerator, _, denominator = (analysis.time_signature or f"{per_bar}/4").partition("/")
        found = _bars(beats, analysis.downbeats_s, per_bar)
        times, bars = _covering(beats, found, per_bar, analysis)
        return cls(times, bars, int(numerator), int(denominator), per_bar)

    @classmethod
    def of_grid(cls, grid: PlanGrid) -> TempoMap:
        """Return the map of a mashup, whose bar 1 begins with the sound."""
        per_bar = grid.beats_per_bar
        beats = tuple(grid.time_at(index / per_bar) for index in range(grid.bars * per_bar + 1))
        return cls(beats, tuple(range(0, len(beats), per_bar)), per_bar, 4, per_bar)

    @property
    def origin_s(self) -> float:
        """Time of bar 1: 0, or negative."""
        return self.beats_s[0]

    @property
    def quarters_per_beat(self) -> float:
        """Quarter notes of a beat: 1, or 1.5 in compound meters."""
        return 4 * self.numerator / self.denominator / self.beats_per_bar

    @property
    def tempo_bpm(self) -> float:
        """Mean tempo."""
        return 60 * (len(self.beats_s) - 1) / (self.beats_s[-1] - self.beats_s[0])

    def time_at(self, beat: float) -> float:
        """Return the time of a beat from 0; beyond the ends the outermost are extrapolated."""
        left = min(max(int(beat // 1), 0), len(self.beats_s) - 2)
        start, stop = self.beats_s[left], self.beats_s[left + 1]
        return start + (beat - left) * (stop - start)

    def beat_at(self, time_s: float) -> float:
        """Return the position of a time in beats from bar 1."""
        left = min(max(bisect_right(self.beats_s, time_s) - 1, 0), len(self.beats_s) - 2)
        start, stop = self.beats_s[left], self.beats_s[left + 1]
        return left + (time_s - start) / (stop - start)

    def number_in_bar(self, beat: int) -> int:
        """Return the number of a beat in its bar, from 1."""
        return beat - self.bars[bisect_right(self.bars, beat) - 1] + 1

    def nearest_bar(self, time_s: float) -> int:
        """Return the index of the bar that begins nearest to a time."""
        after = bisect_right(self.bar_times_s, time_s)
        near = range(max(0, after - 1), min(after + 1, len(self.bars)))
        return min(near, key=lambda bar: abs(self.bar_times_s[bar] - time_s))

    @cached_property
    def bar_times_s(self) -> tuple[float, ...]:
        """Times at which bars begin."""
        return tuple(self.beats_s[beat] for beat in self.bars)

    @property
    def bar_lengths(self) -> list[tuple[int, int]]:
        """First beat and length in beats of each bar whose length differs from the one before."""
        lengths = [(bar, stop - bar) for bar, stop in pairwise(self.bars)]
        lengths = lengths or [(0, self.beats_per_bar)]
        return [one for k, one in enumerate(lengths) if not k or one[1] != lengths[k - 1][1]]

    def bar_length(self, beat: int) -> int:
        """Return the length in beats of the bar that a beat lies in."""
        bar = bisect_right(self.bars, beat) - 1
        inside = bar + 1 < len(self.bars)
        return self.bars[bar + 1] - self.bars[bar] if inside else self.beats_per_bar

    @property
    def first_inside(self) -> int:
        """The first beat that lies inside the sound."""
        return bisect_left(self.beats_s, 0.0)

    def segments(
        self,
        tolerance_s: float,
        *,
        first: int = 0,
        breaks: Collection[int] = (),
        representable: Callable[[float], float] = float,
        stamp: Callable[[float], float] | None = None,
    ) -> list[TempoSegment]:
        """Return as few tempi as keep all beats within a tolerance.

        Args:
            tolerance_s: greatest distance of a beat from its time.
            first: beat at which the first segment begins.
            breaks: beats at which a segment begins in any case.
            representable: returns the nearest tempo that the format can hold.
            stamp: returns the nearest time at which the format can begin a segment. None for
                formats in which each segment begins where the one before ends.
        """
        found: list[TempoSegment] = []
        end = len(self.beats_s) - 1
        beat, start_s = first, self.beats_s[first]
        while beat < end:
            last = min((one for one in breaks if one > beat), default=end)
            start_s = start_s if stamp is None else stamp(self.beats_s[beat])

            def keeps(stop: int, first: int = beat, at_s: float = start_s) -> bool:
                """Return whether one tempo up to a beat keeps all beats before it."""
                step_s = 60 / representable(60 * (stop - first) / (self.beats_s[stop] - at_s))
                drifts = (
                    abs(at_s + (k - first) * step_s - self.beats_s[k])
                    for k in range(first + 1, stop + 1)
                )
                return max(drifts) <= tolerance_s

            stop = _furthest(beat + 1, last, keeps)
            bpm = representable(60 * (stop - beat) / (self.beats_s[stop] - start_s))
            found.append(TempoSegment(beat, start_s, bpm))
            start_s += (stop - beat) * 60 / bpm
            beat = stop
        return found


def _furthest(first: int, last: int, holds: Callable[[int], bool]) -> int:
    """Return a position up to which a condition holds, by doubled steps; `first` at least."""
    found, step = first, 1
    while step:
        if found + step <= last and holds(found + step):
            found, step = found + step, 2 * step
        else:
            step //= 2
    return found


def _even_beats(beats_s: Sequence[float]) -> list[float]:
    """Return beats without the gaps and crowds where parts of different tempo meet."""
    steps = [b - a for a, b in pairwise(beats_s)]
    beats = [beats_s[0]]
    for k, step in enumerate(steps):
        near = [steps[j] for j in (k - 1, k + 1) if 0 <= j < len(steps)] or [step]
        if step < _SHORT * min(near) and len(beats) > 1:
            beats.pop()
        count = round(step / max(near)) if step > _LONG * max(near) else 1
        beats += [beats_s[k] + part / count * step for part in range(1, count + 1)]
    return beats


def _bars(beats: Sequence[float], downbeats_s: Sequence[float], per_bar: int) -> list[int]:
    """Return the indexes of the beats that begin bars.

    Where downbeats are missing, bars are added; the last before an irregular downbeat is longer.
    """
    step_s = (beats[-1] - beats[0]) / (len(beats) - 1)
    found = []
    for time_s in downbeats_s:
        right = min(bisect_right(beats, time_s), len(beats) - 1)
        near = min((max(0, right - 1), right), key=lambda k: abs(beats[k] - time_s))
        if abs(beats[near] - time_s) < _NEAR * step_s:
            found.append(near)
    found = sorted(set(found)) or [0]
    bars = [
        start
        for a, b in pairwise(found)
        for start in range(a, max(a + 1, b - per_bar + 1), per_bar)
    ]
    return [*bars, *range(found[-1], len(beats), per_bar)]


def _covering(
    beats: Sequence[float], bars: Sequence[int], per_bar: int, analysis: Analysis
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return beats and bars with those before, in whole bars, and after the ones found."""
    steady = len(analysis.tempo_stretches) < 2 and analysis.tempo_stable and analysis.tempo_bpm
    some = min(_NEIGHBORS, len(beats) - 1)
    first_step_s = 60 / steady if steady else (beats[some] - beats[0]) / some
    last_step_s = 60 / steady if steady else (beats[-1] - beats[-1 - some]) / some
    missing = -bars[0] % per_bar  # of the bar that the first beats end
    bar_s, lead_s = per_bar * first_step_s, beats[0] - missing * first_step_s
    before = missing + per_bar * max(0, math.ceil((lead_s - _START_S) / bar_s))
    after = max(0, math.ceil((analysis.duration_s - beats[-1]) / last_step_s))
    times = [beats[0] - k * first_step_s for k in range(before, 0, -1)]
    times += [*beats, *(beats[-1] + k * last_step_s for k in range(1, after + 1))]
    if times[0] > 0:
        times[0] = 0.0
    starts = [*range(0, bars[0] + before, per_bar), *(bar + before for bar in bars)]
    starts += range(starts[-1] + per_bar, len(times), per_bar)
    return tuple(times), tuple(starts)
