"""Transposition of songs to compatible keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import fifths_between, parse_key, semitones_between, transposed
from mashup_worker.mixing.planning.harmony import (
    MAX_SHIFT_SEMITONES,
    PitchAgreement,
    compare_profiles,
    song_pitch_profile,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.song import MixSong

_MAX_FORCED_SEMITONES = 6
_COST_PER_SEMITONE = 0.01
"""Correlation that a semitone of transposition must gain; it decides ties only."""

_MIN_CORRELATION = 0.2
_LEAST_KEY_CONFIDENCE = 0.3
"""Confidence below which a key, as of drums alone, transposes no song of a sequence."""


@dataclass(frozen=True)
class Transposition:
    """Transposition of the songs of a mashup by name, and the resulting key, None where unknown."""

    semitones: Mapping[str, int]
    key: str | None
    notes: tuple[str, ...] = ()


def transpose_layer(
    vocal_song: MixSong,
    backing_songs: Sequence[MixSong],
    requested_key: str | None,
    *,
    forced: bool,
    given: Mapping[str, int] | None = None,
) -> Transposition:
    """Transpose songs so that the vocals agree best with each backing song.

    Every song is transposed by two semitones at most, the first backing song only if necessary;
    with force, by half an octave. Pitch-class profiles decide, so that songs of unknown key are
    handled, too. A transposition that is `given`, by the names of the songs, is taken instead.

    Raises:
        InvalidInput: the requested key is invalid, or half an octave away.
    """
    if requested_key is not None:
        return _to_key((vocal_song, *backing_songs), parse_key(requested_key), forced=forced)
    if given is not None:
        key = backing_songs[0].analysis.key
        key = key and transposed(key, given[backing_songs[0].name])
        return Transposition(given, key, _shift_notes(given))
    vocals = song_pitch_profile([vocal_song], vocals=True)
    backing = {song.name: song_pitch_profile([song], vocals=False) for song in backing_songs}
    known = {name: profile for name, profile in backing.items() if float(profile.sum())}
    if not float(vocals.sum()) or not known:
        semitones = {song.name: 0 for song in (vocal_song, *backing_songs)}
        note = "key: vocals or instruments contain no pitch; songs are not transposed"
        return Transposition(semitones, backing_songs[0].analysis.key, (note,))
    agreements = {name: compare_profiles(vocals, profile) for name, profile in known.items()}
    semitones = _best_shifts(vocal_song.name, agreements)
    for song in backing_songs:
        semitones.setdefault(song.name, semitones[next(iter(known))])
    first = next(song for song in backing_songs if song.name in known)
    key = first.analysis.key and transposed(first.analysis.key, semitones[first.name])
    doubts = [
        doubt
        for name, agreement in agreements.items()
        for doubt in _doubts(
            vocal_song.name, name, agreement, semitones[vocal_song.name] - semitones[name]
        )
    ]
    return Transposition(semitones, key, (*_shift_notes(semitones), *doubts))


def transpose_sequence(
    songs: Sequence[MixSong], requested_key: str | None, *, forced: bool
) -> Transposition:
    """Transpose each song to a key next to that of the song before it on the circle of fifths.

    Songs are transposed by two semitones at most, with force by half an octave. Songs of unknown
    or doubtful key are not transposed, and no song is to them.

    Raises:
        InvalidInput: the requested key is invalid, or half an octave away.
    """
    if requested_key is not None:
        return _to_key(songs, parse_key(requested_key), forced=forced)
    semitones: dict[str, int] = {}
    before: str | None = None
    for song in songs:
        key = _sure_key(song)
        semitones[song.name] = _shift_next_to(key, before) if key and before else 0
        before = transposed(key, semitones[song.name]) if key else before
    key = next(filter(None, map(_sure_key, songs)), songs[0].analysis.key)
    return Transposition(semitones, key, _shift_notes(semitones))


def _sure_key(song: MixSong) -> str | None:
    is_sure = song.analysis.key_confidence >= _LEAST_KEY_CONFIDENCE
    return song.analysis.key if is_sure else None


def _shift_next_to(key: str, before: str) -> int:
    """Return the smallest transposition to within one fifth of a key, or as near as possible."""

    def cost(shift: int) -> tuple[int, int, int]:
        return max(1, fifths_between(transposed(key, shift), before)), abs(shift), shift

    return min(range(-MAX_SHIFT_SEMITONES, MAX_SHIFT_SEMITONES + 1), key=cost)


def _best_shifts(vocal_song: str, agreements: Mapping[str, PitchAgreement]) -> dict[str, int]:
    """Return the transpositions with the highest sum of correlations, by name of the song."""
    shifts = range(-MAX_SHIFT_SEMITONES, MAX_SHIFT_SEMITONES + 1)
    first, *others = agreements

    def gain(song: str, vocals: int, backing: int) -> float:
        cost = _COST_PER_SEMITONE * (abs(vocals) + abs(backing))
        return agreements[song].at(vocals - backing) - cost

    def choose(song: str, vocals: int) -> int:
        return max(shifts, key=lambda backing: (gain(song, vocals, backing), -abs(backing)))

    def total(pair: tuple[int, int]) -> tuple[float, int]:
        vocals, backing = pair
        rest = sum(gain(song, vocals, choose(song, vocals)) for song in others)
        return gain(first, vocals, backing) + rest, -abs(backing)

    vocals, backing = max(((a, b) for a in shifts for b in shifts), key=total)
    chosen = {song: choose(song, vocals) for song in others}
    return {vocal_song: vocals, first: backing} | chosen


def _to_key(songs: Sequence[MixSong], key: str, *, forced: bool) -> Transposition:
    semitones, notes = {}, []
    for song in songs:
        if song.analysis.key is None:
            semitones[song.name] = 0
            notes.append(f"{song.name}: not transposed; its key is unknown")
            continue
        shift = semitones_between(song.analysis.key, key)
        if abs(shift) == _MAX_FORCED_SEMITONES and not forced:
            raise InvalidInput(
                f"key: {song.name} in {song.analysis.key} is half an octave from {key}; "
                "force it, or choose another key"
            )
        if abs(shift) > MAX_SHIFT_SEMITONES:
            notes.append(f"{song.name}: {abs(shift)} semitones are audible as transposition")
        semitones[song.name] = shift
    return Transposition(semitones, key, (*_shift_notes(semitones), *notes))


def _doubts(
    vocal_song: str, backing_song: str, agreement: PitchAgreement, relative: int
) -> list[str]:
    if (relative - agreement.best_rotation) % 12:
        return [
            f"{vocal_song}: agrees best with {backing_song} at {agreement.best_shift:+d} "
            f"semitones, beyond the limit; it moves by {relative:+d}"
        ]
    if agreement.at(relative) < _MIN_CORRELATION:
        return [f"{vocal_song}: agrees poorly with {backing_song} in every key"]
    return []


def _shift_notes(semitones: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{name}: transposed by {shift:+d} semitone{'s' if abs(shift) > 1 else ''}"
        for name, shift in semitones.items()
        if shift
    )
