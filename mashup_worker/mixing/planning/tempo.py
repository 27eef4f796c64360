"""Common tempo of the songs of a mashup."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.stretch_limit import (
    MAX_STRETCH,
    format_speed_change,
    is_within_stretch_limit,
    speed_change,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.song import MixSong

NOTED_STRETCH = 0.08
"""Change of speed beyond which listeners notice it."""

_FACTORS = (1.0, 2.0, 0.5)
_NEAR_OCTAVES = 0.5
_FAR_OCTAVE_COST = 0.05
_HALVING_COST = 0.02
"""Distance in octaves that half or double time must save to be preferred."""


@dataclass(frozen=True, kw_only=True)
class CommonTempo:
    """Tempo that all songs of a mashup are stretched to.

    `factors` are bars of a song per bar of the mashup: 1, 2 for half time or 0.5 for double time.
    """

    tempo_bpm: float
    beats_per_bar: int
    factors: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def bar_s(self) -> float:
        """Duration of a bar of the mashup."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm


def share_meter(songs: Sequence[MixSong]) -> tuple[list[MixSong], tuple[str, ...]]:
    """Return songs, those without drums with as many beats a bar as the first, and notes.

    Without drums the analysis often groups beats wrongly. Equal names are one object.
    """
    beats = songs[0].grid.beats_per_bar
    found: dict[str, MixSong] = {}
    notes: dict[str, str] = {}
    for song in songs:
        if song.grid.beats_per_bar == beats or song.has_drums:
            found[song.name] = song
        else:
            found[song.name] = replace(song, grid=replace(song.grid, beats_per_bar=beats))
            notes[song.name] = (
                f"{song.name}: counted in {beats} beats a bar like {songs[0].name}, not in "
                f"{song.grid.beats_per_bar}, which is uncertain without drums"
            )
    return [found[song.name] for song in songs], tuple(notes.values())


def find_common_tempo(
    songs: Sequence[MixSong], requested_bpm: float | None, *, forced: bool
) -> CommonTempo:
    """Return the first song's tempo, or one that keeps all songs within the stretch limit.

    Half and double time are tried first. Where the first song's tempo stretches another beyond the
    limit, the geometric mean of the two most distant songs is used. Force lifts the limit.

    Raises:
        InvalidInput: a song exceeds the limit, or songs differ in beats a bar.
    """
    first = songs[0]
    for song in songs[1:]:
        if song.grid.beats_per_bar != first.grid.beats_per_bar:
            raise InvalidInput(
                f"{song.name}: {song.grid.beats_per_bar} beats a bar, but {first.name} has "
                f"{first.grid.beats_per_bar} beats a bar; combine songs of one meter"
            )
    tempo_bpm = requested_bpm or first.grid.tempo_bpm
    notes = []
    if requested_bpm is None and not all(
        is_within_stretch_limit(_ratio(song, tempo_bpm)) for song in songs
    ):
        tempo_bpm = _middle_bpm(songs, tempo_bpm)
        tempi = " and ".join(f"{song.name} ({song.grid.tempo_bpm:.2f} BPM)" for song in songs)
        notes.append(f"tempo: {tempi} meet in the middle, at {tempo_bpm:.2f} BPM")
    for song in songs:
        notes += _stretch_notes(song, tempo_bpm, forced=forced)
    return CommonTempo(
        tempo_bpm=tempo_bpm,
        beats_per_bar=first.grid.beats_per_bar,
        factors={song.name: _factor(song, tempo_bpm) for song in songs},
        notes=tuple(notes),
    )


def _stretch_notes(song: MixSong, tempo_bpm: float, *, forced: bool) -> list[str]:
    """Return notes about a song's stretch, or raise `InvalidInput` beyond the limit."""
    ratio, factor = _ratio(song, tempo_bpm), _factor(song, tempo_bpm)
    change = speed_change(ratio)
    if not is_within_stretch_limit(ratio) and not forced:
        raise InvalidInput(
            f"{song.name}: {song.grid.tempo_bpm:.2f} BPM needs {format_speed_change(ratio)} for "
            f"{tempo_bpm:.2f} BPM, more than {MAX_STRETCH:.0%}; force it, or choose another tempo"
        )
    notes = []
    if abs(change) > NOTED_STRETCH:
        direction = "faster" if change > 0 else "slower"
        notes.append(f"{song.name}: plays {abs(change):.1%} {direction} than the original")
    if factor != 1:
        notes.append(f"{song.name}: plays in {'half' if factor == 2 else 'double'} time")
    return notes


def _middle_bpm(songs: Sequence[MixSong], near_bpm: float) -> float:
    """Return the tempo with the smallest maximum stretch, half and double time included."""
    tempi = sorted({song.grid.tempo_bpm / factor for song in songs for factor in _FACTORS})

    def cost(middle_bpm: float) -> float:
        worst = max(abs(speed_change(_ratio(song, middle_bpm))) for song in songs)
        is_near = abs(math.log2(middle_bpm / near_bpm)) < _NEAR_OCTAVES
        return worst + (0 if is_near else _FAR_OCTAVE_COST)

    middles = [math.sqrt(low * high) for low in tempi for high in tempi if low <= high]
    return min(middles, key=lambda middle_bpm: (round(cost(middle_bpm), 6), middle_bpm))


def _factor(song: MixSong, tempo_bpm: float) -> float:
    """Return the tempo factor with the smallest stretch, preferring 1."""

    def cost(factor: float) -> float:
        octaves = abs(math.log2(song.grid.tempo_bpm / factor / tempo_bpm))
        return octaves + (0 if factor == 1 else _HALVING_COST)

    return min(_FACTORS, key=cost)


def _ratio(song: MixSong, tempo_bpm: float) -> float:
    return song.grid.tempo_bpm / _factor(song, tempo_bpm) / tempo_bpm
