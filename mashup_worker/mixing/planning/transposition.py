"""How far each song's pitch moves, so that what sounds together agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import find_key, moved, semitones_between, steps_between
from mashup_worker.mixing.planning.harmony import MOST_EACH, Agreement, agreement, pitch_classes
from mashup_worker.mixing.song import DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

    from mashup_worker.mixing.song import MixSong

_MOST_ASKED = 6
_COST_EACH = 0.01
"""Correlation that a semitone of shift must gain. Only ties are decided by it."""

_CLEAR = 0.2


@dataclass(frozen=True)
class Transposition:
    """How far songs move.

    Attributes:
        semitones: by the song's name.
        key: the key that they come to; None where nobody knows.
        notes: what a person should know.
    """

    semitones: Mapping[str, int]
    key: str | None
    notes: tuple[str, ...] = ()


def for_layer(
    singer: MixSong, hosts: Sequence[MixSong], asked_key: str | None, forced: bool
) -> Transposition:
    """Move singer and hosts so that the voice agrees best with each host.

    Both move, two semitones at most; the first host stays where it is if that is possible. Pitch
    classes decide, not the names of keys, so a song whose key is unclear is served as well.

    Raises:
        InvalidInput: a key was asked for that is too far away, or that nobody can tell the way to.
    """
    voice = tonal([singer], vocals=True)
    backing = {host.name: tonal([host], vocals=False) for host in hosts}
    known = {name: classes for name, classes in backing.items() if float(classes.sum())}
    if asked_key is not None:
        return _to_key((singer, *hosts), find_key(asked_key), forced)
    if not float(voice.sum()) or not known:
        semitones = {song.name: 0 for song in (singer, *hosts)}
        return Transposition(
            semitones, hosts[0].analysis.key, ("nothing with pitch to match: keys stay",)
        )
    agreements = {name: agreement(voice, classes) for name, classes in known.items()}
    semitones = _best(singer.name, agreements)
    for host in hosts:
        semitones.setdefault(host.name, semitones[next(iter(known))])
    leader = next(host for host in hosts if host.name in known)
    key = leader.analysis.key and moved(leader.analysis.key, semitones[leader.name])
    notes = [
        note
        for name, agrees in agreements.items()
        for note in _doubts(singer.name, name, agrees, semitones[singer.name] - semitones[name])
    ]
    return Transposition(semitones, key, (*_moves(semitones), *notes))


def for_sequence(songs: Sequence[MixSong], asked_key: str | None, forced: bool) -> Transposition:
    """Move each song, two semitones at most, next to the key of the one before it.

    A neighbour on the circle of fifths is near enough, as among DJs. Songs stay where nobody knows
    their keys.

    Raises:
        InvalidInput: as `for_layer`.
    """
    if asked_key is not None:
        return _to_key(songs, find_key(asked_key), forced)
    semitones: dict[str, int] = {}
    before: str | None = None
    for song in songs:
        key = song.analysis.key
        semitones[song.name] = _step_beside(key, before) if key and before else 0
        before = moved(key, semitones[song.name]) if key else before
    first = songs[0].analysis.key
    return Transposition(semitones, first, _moves(semitones))


def _step_beside(key: str, before: str) -> int:
    """The least move that makes a key a neighbour of another, or brings it as near as can be."""

    def cost(step: int) -> tuple[int, int, int]:
        return max(1, steps_between(moved(key, step), before)), abs(step), step

    return min(range(-MOST_EACH, MOST_EACH + 1), key=cost)


def tonal(songs: Iterable[MixSong], *, vocals: bool) -> Tensor:
    """Pitch classes of songs' voices, or of their instruments without the drums."""
    return pitch_classes(
        part.audio
        for song in songs
        for kind, part in song.parts.items()
        if kind != DRUMS and is_vocal(kind) == vocals
    )


def _best(singer: str, agreements: Mapping[str, Agreement]) -> dict[str, int]:
    """The shifts with the highest sum of agreements; small ones first among equals."""
    steps = range(-MOST_EACH, MOST_EACH + 1)
    leader, *others = agreements

    def gain(host: str, mine: int, theirs: int) -> float:
        return agreements[host].at(mine - theirs) - _COST_EACH * (abs(mine) + abs(theirs))

    def choose(host: str, mine: int) -> int:
        return max(steps, key=lambda theirs: (gain(host, mine, theirs), -abs(theirs)))

    def total(pair: tuple[int, int]) -> tuple[float, int]:
        mine, theirs = pair
        rest = sum(gain(host, mine, choose(host, mine)) for host in others)
        return gain(leader, mine, theirs) + rest, -abs(theirs)

    mine, theirs = max(((a, b) for a in steps for b in steps), key=total)
    return {singer: mine, leader: theirs} | {host: choose(host, mine) for host in others}


def _to_key(songs: Sequence[MixSong], key: str, forced: bool) -> Transposition:
    semitones, notes = {}, []
    for song in songs:
        if song.analysis.key is None:
            semitones[song.name] = 0
            notes.append(f"{song.name}: nobody knows its key, so it stays")
            continue
        shift = semitones_between(song.analysis.key, key)
        if abs(shift) == _MOST_ASKED and not forced:
            raise InvalidInput(
                f"key: {song.name} in {song.analysis.key} lies half an octave from {key}; "
                "force it, or choose another key"
            )
        if abs(shift) > MOST_EACH:
            notes.append(f"{song.name} moves by {abs(shift)} semitones, and will sound like it")
        semitones[song.name] = shift
    return Transposition(semitones, key, (*_moves(semitones), *notes))


def _doubts(singer: str, host: str, agrees: Agreement, relative: int) -> list[str]:
    if (relative - agrees.best_rotation) % 12:
        return [
            f"{singer} would agree best with {host} {agrees.best_shift:+d} semitones from where "
            f"it was, which is too far: it moves by {relative:+d}"
        ]
    if agrees.at(relative) < _CLEAR:
        return [f"{singer} and {host} hardly agree in any key"]
    return []


def _moves(semitones: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{name} moves by {step:+d} semitone{'s' if abs(step) > 1 else ''}"
        for name, step in semitones.items()
        if step
    )
