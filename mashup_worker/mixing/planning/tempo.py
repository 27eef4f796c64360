"""The tempo at which songs meet."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import MOST_STRETCH, stretch, within_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.song import MixSong

NOTED_STRETCH = 0.08
"""Beyond this, people hear that a sound was stretched."""

_FACTORS = (1.0, 2.0, 0.5)
_NEAR_OCTAVES = 0.5
_HALVING_COST = 0.02
"""Half and double time must gain this much, in octaves' logarithm, over playing as it is."""


@dataclass(frozen=True)
class Pace:
    """A common tempo.

    Attributes:
        tempo_bpm: beats a minute of the mashup.
        beats_per_bar: its beats a bar.
        factors: by song, its bars a bar of the mashup: 1, 2 or 0.5.
        notes: what a person should know.
    """

    tempo_bpm: float
    beats_per_bar: int
    factors: dict[str, float]
    notes: tuple[str, ...]

    @property
    def bar_s(self) -> float:
        """Length of a bar of the mashup."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm


def sharing_bars(songs: Sequence[MixSong]) -> tuple[list[MixSong], tuple[str, ...]]:
    """The songs, those without drums with as many beats a bar as the first.

    How beats are grouped is told by drums; a voice alone is often counted wrong.

    Returns:
        The songs in their order, one that came twice as one, and what a person should know.
    """
    beats = songs[0].grid.beats_per_bar
    counted, notes = {}, {}
    for song in songs:
        if song.grid.beats_per_bar == beats or song.has_drums:
            counted[song.name] = song
        else:
            counted[song.name] = replace(song, grid=replace(song.grid, beats_per_bar=beats))
            notes[song.name] = (
                f"{song.name} is counted in {beats} beats a bar, as {songs[0].name}, not in "
                f"{song.grid.beats_per_bar}: without drums that is uncertain"
            )
    return [counted[song.name] for song in songs], tuple(notes.values())


def common_pace(songs: Sequence[MixSong], asked_bpm: float | None, forced: bool) -> Pace:
    """The tempo for songs of which the first sets it, unless that takes another too far.

    Where the first song's tempo would stretch another by more than the limit, the middle between
    the outermost is taken; half or double time comes before either.

    Args:
        songs: the songs; the first one's tempo is kept if possible.
        asked_bpm: a tempo that was asked for.
        forced: whether the limit is off.

    Raises:
        InvalidInput: no tempo brings all within the limit, or bars have different beats.
    """
    leader = songs[0]
    for song in songs[1:]:
        if song.grid.beats_per_bar != leader.grid.beats_per_bar:
            raise InvalidInput(
                f"{leader.name} has {leader.grid.beats_per_bar} beats a bar and {song.name} "
                f"{song.grid.beats_per_bar}: they can't share bars"
            )
    tempo_bpm = asked_bpm or leader.grid.tempo_bpm
    notes = []
    if asked_bpm is None and not all(within_limit(_ratio(song, tempo_bpm)) for song in songs):
        tempo_bpm = _middle_bpm(songs, tempo_bpm)
        notes.append(
            f"{_tempi(songs)} are far apart: they meet in the middle, at {tempo_bpm:.2f} BPM"
        )
    for song in songs:
        ratio = _ratio(song, tempo_bpm)
        faster = stretch(ratio)
        if not within_limit(ratio) and not forced:
            raise InvalidInput(
                f"{song.name} at {song.grid.tempo_bpm:.2f} BPM would be stretched by "
                f"{100 * faster:+.1f} % for {tempo_bpm:.2f} BPM, more than {MOST_STRETCH:.0%}; "
                "force it, or choose another tempo"
            )
        if abs(faster) > NOTED_STRETCH:
            way = "faster" if faster > 0 else "slower"
            notes.append(f"{song.name} plays {abs(faster):.1%} {way} than it was made")
        if _factor(song, tempo_bpm) != 1:
            time = "half" if _factor(song, tempo_bpm) == 2 else "double"
            notes.append(f"{song.name} counts in {time} time")
    return Pace(
        tempo_bpm,
        leader.grid.beats_per_bar,
        {song.name: _factor(song, tempo_bpm) for song in songs},
        tuple(notes),
    )


def _middle_bpm(songs: Sequence[MixSong], about_bpm: float) -> float:
    """The tempo that takes the song it takes furthest least far, in half and double time too."""
    tempi = sorted({song.grid.tempo_bpm / factor for song in songs for factor in _FACTORS})

    def cost(middle_bpm: float) -> float:
        worst = max(abs(stretch(_ratio(song, middle_bpm))) for song in songs)
        # Another octave than the first song's only where that saves a lot.
        return worst + (0 if abs(math.log2(middle_bpm / about_bpm)) < _NEAR_OCTAVES else 0.05)

    middles = [math.sqrt(low * high) for low in tempi for high in tempi if low <= high]
    return min(middles, key=lambda middle_bpm: (round(cost(middle_bpm), 6), middle_bpm))


def _factor(song: MixSong, tempo_bpm: float) -> float:
    def cost(factor: float) -> float:
        away = abs(math.log2(song.grid.tempo_bpm / factor / tempo_bpm))
        return away + (0 if factor == 1 else _HALVING_COST)

    return min(_FACTORS, key=cost)


def _ratio(song: MixSong, tempo_bpm: float) -> float:
    return song.grid.tempo_bpm / _factor(song, tempo_bpm) / tempo_bpm


def _tempi(songs: Sequence[MixSong]) -> str:
    return " and ".join(f"{song.name} ({song.grid.tempo_bpm:.2f} BPM)" for song in songs)
