"""Common tempo of the songs of a mashup.

Songs meet where half or double time, or else two beats against three or three against four, bring
them within `USUAL_STRETCH` of one tempo. A requested tempo may stretch them up to `MAX_STRETCH`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.phrases import PHRASE_BARS
from mashup_worker.mixing.stretch_limit import (
    MAX_STRETCH,
    USUAL_STRETCH,
    format_speed_change,
    is_within_stretch_limit,
    speed_change,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.song import MixSong

_OCTAVES = (Fraction(1), Fraction(2), Fraction(1, 2))
_CROSS_RHYTHMS = (Fraction(2, 3), Fraction(3, 2), Fraction(3, 4), Fraction(4, 3))
_NEAR_OCTAVES = 0.5
_FAR_OCTAVE_COST = 0.05
_HALVING_COST = 0.02
"""Distance in octaves that half or double time must save to be preferred."""


@dataclass(frozen=True, kw_only=True)
class CommonTempo:
    """Tempo that the songs of a mashup are stretched to.

    `factors` are bars of a song per bar of the mashup: 1, 2 for half time, 0.5 for double time, or
    2/3 for two beats against three. `own_bpm` are the tempi of songs that play at another one.
    """

    tempo_bpm: float
    beats_per_bar: int
    factors: Mapping[str, float]
    notes: tuple[str, ...]
    own_bpm: Mapping[str, float] = field(default_factory=dict)

    @property
    def bar_s(self) -> float:
        """Duration of a bar of the mashup."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm

    @property
    def phrase_bars(self) -> int:
        """Length of a phrase in bars of the mashup: 4, or more for whole bars of every song."""
        counts = {_fraction(factor).denominator for factor in self.factors.values()}
        whole = math.lcm(*counts)
        return PHRASE_BARS if PHRASE_BARS % whole == 0 else math.lcm(whole, 2)

    def bpm_of(self, song: str) -> float:
        """Return the tempo at which a song plays."""
        return self.own_bpm.get(song, self.tempo_bpm)

    def bar_s_of(self, song: str) -> float:
        """Return the duration of a bar of the mashup while a song plays."""
        return 60.0 * self.beats_per_bar / self.bpm_of(song)


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
    """Return the first song's tempo, or one at which all songs meet.

    Where half and double time leave a song beyond the usual limit at the first song's tempo, all
    meet at the geometric mean of the two most distant ones; where that is beyond the limit, too,
    songs may play two beats against three or three against four. A requested tempo allows a stretch
    up to `MAX_STRETCH`. Force lifts the limits.

    Raises:
        InvalidInput: the songs do not meet, or differ in beats a bar.
    """
    _check_meter(songs)
    if requested_bpm is not None:
        return _at(songs, requested_bpm, forced=forced)
    first_bpm = songs[0].grid.tempo_bpm
    middle_bpm = _middle_bpm(songs, first_bpm)
    met = _meeting_bpm(songs)
    if met is None and all(_fits(song, first_bpm) for song in songs):
        met = first_bpm
    if met is None and not forced:
        raise InvalidInput(_refusal(songs, middle_bpm))
    return _at(songs, met or middle_bpm, forced=forced)


def keep_tempi(
    songs: Sequence[MixSong], requested_bpm: float | None, *, forced: bool
) -> CommonTempo:
    """Return the tempi of songs that play one after another.

    Neighbors that meet in equal, half or double time share a tempo. Other songs keep their own.

    Raises:
        InvalidInput: as `find_common_tempo`.
    """
    _check_meter(songs)
    if requested_bpm is not None or forced:
        return find_common_tempo(songs, requested_bpm, forced=forced)
    groups: list[list[MixSong]] = [[songs[0]]]
    for song in songs[1:]:
        if _meeting_bpm([*groups[-1], song]) is None:
            groups.append([song])
        else:
            groups[-1].append(song)
    shared = [_at(group, _meeting_bpm(group) or 0.0, forced=False) for group in groups]
    changes = tuple(
        f"{after[0].name}: keeps {tempo.tempo_bpm:.2f} BPM, which does not meet "
        f"{before[-1].name} within {USUAL_STRETCH:.0%}; it enters with a cut"
        for before, after, tempo in zip(groups, groups[1:], shared[1:], strict=False)
    )
    return CommonTempo(
        tempo_bpm=shared[0].tempo_bpm,
        beats_per_bar=shared[0].beats_per_bar,
        factors={name: factor for one in shared for name, factor in one.factors.items()},
        notes=(*(note for one in shared for note in one.notes), *changes),
        own_bpm={name: one.tempo_bpm for one in shared[1:] for name in one.factors},
    )


def factor_name(factor: float | Fraction) -> str:
    """Return a tempo factor other than 1 in words, such as `in half time`."""
    beats = _fraction(factor)
    named = {2: "in half time", 0.5: "in double time"}
    return named.get(float(beats), f"{beats.numerator} beats against {beats.denominator}")


def is_cross_rhythm(factor: float) -> bool:
    """Return whether a tempo factor is neither equal, half nor double time."""
    return _fraction(factor) in _CROSS_RHYTHMS


def _check_meter(songs: Sequence[MixSong]) -> None:
    first = songs[0]
    for song in songs[1:]:
        if song.grid.beats_per_bar != first.grid.beats_per_bar:
            raise InvalidInput(
                f"{song.name}: {song.grid.beats_per_bar} beats a bar, but {first.name} has "
                f"{first.grid.beats_per_bar} beats a bar; combine songs of one meter"
            )


def _meeting_bpm(songs: Sequence[MixSong]) -> float | None:
    """Return the tempo of the first song or of the middle, whichever allows all the usual stretch.

    Songs play in equal, half or double time; the result is None where they do not meet so.
    """
    first_bpm = songs[0].grid.tempo_bpm
    for tempo_bpm in (first_bpm, _middle_bpm(songs, first_bpm)):
        ratios = [_ratio(song, tempo_bpm, _octave(song, tempo_bpm)) for song in songs]
        if all(is_within_stretch_limit(ratio, USUAL_STRETCH) for ratio in ratios):
            return tempo_bpm
    return None


def _at(songs: Sequence[MixSong], tempo_bpm: float, *, forced: bool) -> CommonTempo:
    """Return a common tempo with notes, or raise `InvalidInput` for a stretch beyond the limit."""
    notes = []
    first_bpm = songs[0].grid.tempo_bpm
    if tempo_bpm == _middle_bpm(songs, first_bpm) != first_bpm:
        tempi = " and ".join(f"{song.name} ({song.grid.tempo_bpm:.2f} BPM)" for song in songs)
        notes.append(f"tempo: {tempi} meet in the middle, at {tempo_bpm:.2f} BPM")
    for song in songs:
        notes += _stretch_notes(song, tempo_bpm, forced=forced)
    return CommonTempo(
        tempo_bpm=tempo_bpm,
        beats_per_bar=songs[0].grid.beats_per_bar,
        factors={song.name: float(_factor(song, tempo_bpm)) for song in songs},
        notes=tuple(notes),
    )


def _stretch_notes(song: MixSong, tempo_bpm: float, *, forced: bool) -> list[str]:
    """Return notes about a song's stretch, or raise `InvalidInput` beyond the limit."""
    factor = _factor(song, tempo_bpm)
    ratio = _ratio(song, tempo_bpm, factor)
    change = speed_change(ratio)
    if not is_within_stretch_limit(ratio) and not forced:
        raise InvalidInput(
            f"{song.name}: {song.grid.tempo_bpm:.2f} BPM needs {format_speed_change(ratio)} for "
            f"{tempo_bpm:.2f} BPM, more than {MAX_STRETCH:.0%}; force it, or choose another tempo"
        )
    notes = []
    if not is_within_stretch_limit(ratio, USUAL_STRETCH):
        direction = "faster" if change > 0 else "slower"
        notes.append(f"{song.name}: plays {abs(change):.1%} {direction} than the original")
    if factor != 1:
        notes.append(f"{song.name}: plays {factor_name(factor)}")
    return notes


def _refusal(songs: Sequence[MixSong], middle_bpm: float) -> str:
    """Return a message that names the alternatives to a layer of songs that do not meet."""
    first = songs[0]
    other = next(song for song in songs[1:] if not _fits(song, first.grid.tempo_bpm))
    worst = max(abs(speed_change(_ratio(s, middle_bpm, _factor(s, middle_bpm)))) for s in songs)
    low, high = (first.grid.tempo_bpm / (1 + sign * USUAL_STRETCH) for sign in (1, -1))
    return (
        f"{other.name}: {other.grid.tempo_bpm:.2f} BPM does not meet {first.name} at "
        f"{first.grid.tempo_bpm:.2f} BPM within {USUAL_STRETCH:.0%}; name a song of {low:.0f} to "
        f"{high:.0f} BPM, choose a sequence, in which songs keep their tempi, or force it, which "
        f"changes the speed by {worst:.1%} to meet at {middle_bpm:.2f} BPM"
    )


def _middle_bpm(songs: Sequence[MixSong], near_bpm: float) -> float:
    """Return the tempo with the smallest maximum stretch, half and double time included."""
    tempi = sorted({song.grid.tempo_bpm / float(factor) for song in songs for factor in _OCTAVES})

    def cost(middle_bpm: float) -> float:
        ratios = (_ratio(song, middle_bpm, _octave(song, middle_bpm)) for song in songs)
        worst = max(abs(speed_change(ratio)) for ratio in ratios)
        is_near = abs(math.log2(middle_bpm / near_bpm)) < _NEAR_OCTAVES
        return worst + (0 if is_near else _FAR_OCTAVE_COST)

    middles = [math.sqrt(low * high) for low in tempi for high in tempi if low <= high]
    return min(middles, key=lambda middle_bpm: (round(cost(middle_bpm), 6), middle_bpm))


def _factor(song: MixSong, tempo_bpm: float) -> Fraction:
    """Return the tempo factor: equal, half or double time if one fits, or a cross-rhythm."""
    octave = _octave(song, tempo_bpm)
    if is_within_stretch_limit(_ratio(song, tempo_bpm, octave), USUAL_STRETCH):
        return octave
    crossed = min(_CROSS_RHYTHMS, key=lambda one: abs(speed_change(_ratio(song, tempo_bpm, one))))
    fits = is_within_stretch_limit(_ratio(song, tempo_bpm, crossed), USUAL_STRETCH)
    return crossed if fits else octave


def _fits(song: MixSong, tempo_bpm: float) -> bool:
    ratio = _ratio(song, tempo_bpm, _factor(song, tempo_bpm))
    return is_within_stretch_limit(ratio, USUAL_STRETCH)


def _octave(song: MixSong, tempo_bpm: float) -> Fraction:
    """Return equal, half or double time, the one with the smallest stretch, preferring 1."""

    def cost(factor: Fraction) -> float:
        octaves = abs(math.log2(song.grid.tempo_bpm / factor / tempo_bpm))
        return octaves + (0 if factor == 1 else _HALVING_COST)

    return min(_OCTAVES, key=cost)


def _ratio(song: MixSong, tempo_bpm: float, factor: Fraction) -> float:
    return song.grid.tempo_bpm / float(factor) / tempo_bpm


def _fraction(factor: float | Fraction) -> Fraction:
    return Fraction(factor).limit_denominator(4)
