"""Bars and beats of a song as times, at a fixed or a variable tempo."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from mashup_worker.analysis.result import Analysis

MIN_TEMPO_CONFIDENCE = 0.02
"""Lowest confidence of a usable tempo: a held tone has 0, speech 0.06."""


_BAR_BEATS = {2: 4, 3: 3, 4: 4}
"""Beats of the bars in a mashup; two bars of a compound meter such as 6/8 count as one."""

_SURE_BARS = 0.5


@dataclass(frozen=True)
class FixedTempoGrid:
    """Bars of equal length, until `stop_s` at the latest."""

    tempo_bpm: float
    beats_per_bar: int
    first_downbeat_s: float = 0.0
    stop_s: float = math.inf

    @property
    def bar_s(self) -> float:
        """Duration of a bar."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm

    def time_at(self, bar: float) -> float:
        """Return the time of a bar, which may be fractional or negative."""
        return self.first_downbeat_s + bar * self.bar_s

    def bar_at(self, time_s: float) -> float:
        """Return the position of a time in bars."""
        return (time_s - self.first_downbeat_s) / self.bar_s

    def anchors(self, first_bar: float, last_bar: float) -> tuple[float, ...]:
        """Return the bars between which time is linear: both ends."""
        return first_bar, last_bar


@dataclass(frozen=True)
class VariableTempoGrid:
    """Bars given by the time of every beat in ascending order; the first is a downbeat."""

    beats_s: tuple[float, ...]
    beats_per_bar: int

    @property
    def tempo_bpm(self) -> float:
        """Mean tempo."""
        return 60.0 * (len(self.beats_s) - 1) / (self.beats_s[-1] - self.beats_s[0])

    @property
    def bar_s(self) -> float:
        """Mean duration of a bar."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm

    @property
    def first_downbeat_s(self) -> float:
        """Time of bar 0."""
        return self.beats_s[0]

    @property
    def stop_s(self) -> float:
        """End of the bars: that of the song."""
        return math.inf

    def time_at(self, bar: float) -> float:
        """Return the time of a bar; beyond the ends the outermost beats are extrapolated."""
        beat = bar * self.beats_per_bar
        left = min(max(int(beat // 1), 0), len(self.beats_s) - 2)
        start, stop = self.beats_s[left], self.beats_s[left + 1]
        return start + (beat - left) * (stop - start)

    def bar_at(self, time_s: float) -> float:
        """Return the position of a time in bars."""
        left = min(max(bisect_left(self.beats_s, time_s) - 1, 0), len(self.beats_s) - 2)
        start, stop = self.beats_s[left], self.beats_s[left + 1]
        return (left + (time_s - start) / (stop - start)) / self.beats_per_bar

    def anchors(self, first_bar: float, last_bar: float) -> tuple[float, ...]:
        """Return the bars between which time is linear: both ends and the beats between them."""
        per_bar = self.beats_per_bar
        beats = range(int(first_bar * per_bar) + 1, int(-(-last_bar * per_bar // 1)))
        # A segment shorter than a tenth of a beat would get an extreme stretch ratio.
        inner = [b / per_bar for b in beats if first_bar + 0.1 < b / per_bar < last_bar - 0.1]
        return (first_bar, *inner, last_bar)


SongGrid = FixedTempoGrid | VariableTempoGrid


def song_grid(analysis: Analysis, name: str) -> SongGrid:
    """Return the bars that an analysis found.

    Raises:
        InvalidInput: the analysis found no beats, or bars that are neither of 3 nor of 4 beats.
    """
    sure = analysis.tempo_confidence >= MIN_TEMPO_CONFIDENCE and len(analysis.beats_s) > 1
    if analysis.tempo_bpm is None or analysis.beats_per_bar is None or not sure:
        raise InvalidInput(
            f"{name}: no beat was found; name the song of this stem (FILE:KIND:SONG) and add "
            "other stems of it, which provide the beat"
        )
    beats_per_bar = _BAR_BEATS.get(analysis.beats_per_bar, 4)
    if analysis.beats_per_bar not in _BAR_BEATS and analysis.bar_confidence >= _SURE_BARS:
        raise InvalidInput(
            f"{name}: {analysis.beats_per_bar} beats a bar; mashups need bars of 3 or 4 beats"
        )
    if len(analysis.tempo_stretches) > 1:
        return _longest_stretch(analysis, beats_per_bar)
    downbeats = analysis.downbeats_s or analysis.beats_s[:1]
    first = bisect_left(analysis.beats_s, downbeats[0] - 1e-3)
    if analysis.tempo_stable or len(analysis.beats_s) - first < 2:
        return FixedTempoGrid(analysis.tempo_bpm, beats_per_bar, downbeats[0])
    return VariableTempoGrid(analysis.beats_s[first:], beats_per_bar)


def _longest_stretch(analysis: Analysis, beats_per_bar: int) -> FixedTempoGrid:
    """Return the bars of the longest part with one tempo; a mashup uses no other part."""
    stretch = max(analysis.tempo_stretches, key=lambda one: one.stop_s - one.start_s)
    inside = [at for at in analysis.downbeats_s if at >= stretch.start_s - 1e-3]
    first = inside[0] if inside and inside[0] < stretch.stop_s else stretch.start_s
    stop_s = stretch.stop_s + 60 / stretch.tempo_bpm
    return FixedTempoGrid(stretch.tempo_bpm, beats_per_bar, first, stop_s)
