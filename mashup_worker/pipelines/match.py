"""Matching: songs in, how well each would sing over each other out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.compatibility import Match, compare_songs
from mashup_worker.mixing.planning.song_features import SongFeatures
from mashup_worker.pipelines.mix_songs import MIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.song import MixSong


@dataclass(frozen=True)
class MatchResult:
    """Pairs of songs.

    Attributes:
        matches: every song over every other, the best first.
        notes: what could not be told, and why.
    """

    matches: tuple[Match, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON keeps it."""
        return {"matches": [one.as_dict() for one in self.matches], "notes": list(self.notes)}


def match_songs(songs: Sequence[MixSong]) -> MatchResult:
    """Compare every song with every other, each as the singer and as the host.

    Songs that are known to have no vocals are no singers.

    Raises:
        InvalidInput: fewer than two songs, or nobody sings.
    """
    if len(songs) < 2:
        raise InvalidInput("two songs or more are needed to match")
    profiles = [SongFeatures.of(song) for song in songs]
    pairs = [
        (vocals, backing)
        for vocals, backing in permutations(profiles, 2)
        if can_sing(vocals.song) and backing.song.instruments
    ]
    if not pairs:
        raise InvalidInput("no song has vocals to lay over another's instruments")
    matches = [compare_songs(vocals, backing) for vocals, backing in pairs]
    notes = [
        f"{song.name} is not separated: its mix stands for voice and instruments"
        for song in songs
        if is_whole(song)
    ]
    return MatchResult(tuple(sorted(matches, key=lambda one: -one.total)), tuple(notes))


def is_whole(song: MixSong) -> bool:
    """Whether only a song's mix is there."""
    return tuple(song.stems) == (MIX,)


def can_sing(song: MixSong) -> bool:
    """Whether a song has a voice, or may have one."""
    return song.vocals is not None or is_whole(song)
