"""Bars and beats as positions in time: those of a song, and those of a mashup."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from mashup_worker.analysis.result import Analysis


@dataclass(frozen=True)
class SteadyGrid:
    """Bars of one length.

    Attributes:
        tempo_bpm: beats a minute.
        beats_per_bar: beats a bar.
        first_downbeat_s: where bar 0 begins.
    """

    tempo_bpm: float
    beats_per_bar: int
    first_downbeat_s: float = 0.0

    @property
    def bar_s(self) -> float:
        """Length of a bar."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm

    def time_at(self, bar: float) -> float:
        """When a bar begins; fractions and bars before the first are allowed."""
        return self.first_downbeat_s + bar * self.bar_s

    def bar_at(self, time_s: float) -> float:
        """Where in its bars a moment lies."""
        return (time_s - self.first_downbeat_s) / self.bar_s

    def anchors(self, first_bar: float, last_bar: float) -> tuple[float, ...]:
        """Bars between which time runs evenly: the two ends."""
        return first_bar, last_bar


@dataclass(frozen=True)
class FreeGrid:
    """Beats that follow the music.

    Attributes:
        beats_s: times of beats, rising, the first of them a downbeat.
        beats_per_bar: beats a bar.
    """

    beats_s: tuple[float, ...]
    beats_per_bar: int

    @property
    def tempo_bpm(self) -> float:
        """The mean tempo."""
        return 60.0 * (len(self.beats_s) - 1) / (self.beats_s[-1] - self.beats_s[0])

    @property
    def bar_s(self) -> float:
        """Mean length of a bar."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm

    @property
    def first_downbeat_s(self) -> float:
        """Where bar 0 begins."""
        return self.beats_s[0]

    def time_at(self, bar: float) -> float:
        """When a bar begins; beyond the ends the outermost beats go on."""
        beat = bar * self.beats_per_bar
        left = min(max(int(beat // 1), 0), len(self.beats_s) - 2)
        start, stop = self.beats_s[left], self.beats_s[left + 1]
        return start + (beat - left) * (stop - start)

    def bar_at(self, time_s: float) -> float:
        """Where in its bars a moment lies."""
        left = min(max(bisect_left(self.beats_s, time_s) - 1, 0), len(self.beats_s) - 2)
        start, stop = self.beats_s[left], self.beats_s[left + 1]
        return (left + (time_s - start) / (stop - start)) / self.beats_per_bar

    def anchors(self, first_bar: float, last_bar: float) -> tuple[float, ...]:
        """Bars between which time runs evenly: the two ends, and the beats between them."""
        per_bar = self.beats_per_bar
        beats = range(int(first_bar * per_bar) + 1, int(-(-last_bar * per_bar // 1)))
        # A piece of less than a tenth of a beat at an end would be a leap.
        inner = [b / per_bar for b in beats if first_bar + 0.1 < b / per_bar < last_bar - 0.1]
        return (first_bar, *inner, last_bar)


LEAST_CONFIDENCE = 0.02
"""Below this confidence a tempo is made up: a held tone has one of 0, speech of 0.06."""

SongGrid = SteadyGrid | FreeGrid


def grid_of(analysis: Analysis, name: str) -> SongGrid:
    """The bars of a song.

    Raises:
        InvalidInput: no beat was found in it; the message names it.
    """
    sure = analysis.tempo_confidence >= LEAST_CONFIDENCE and len(analysis.beats_s) > 1
    if analysis.tempo_bpm is None or analysis.beats_per_bar is None or not sure:
        raise InvalidInput(
            f"{name}: no beat was found in it; name the song that it belongs to "
            "(FILE:KIND:SONG), so that the other stems of that song give the beat"
        )
    downbeats = analysis.downbeats_s or analysis.beats_s[:1]
    first = bisect_left(analysis.beats_s, downbeats[0] - 1e-3)
    if analysis.tempo_stable or len(analysis.beats_s) - first < 2:
        return SteadyGrid(analysis.tempo_bpm, analysis.beats_per_bar, downbeats[0])
    return FreeGrid(analysis.beats_s[first:], analysis.beats_per_bar)
