"""Rate how well the vocals of each song fit the instruments of each other song."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.compatibility import Match, compare_songs
from mashup_worker.mixing.planning.song_features import SongFeatures
from mashup_worker.pipelines.mashup.songs import MIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.song import MixSong


@dataclass(frozen=True)
class MatchResult:
    """Rated pairs of songs, the best first, and what could not be compared."""

    matches: tuple[Match, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {"matches": [one.as_dict() for one in self.matches], "notes": list(self.notes)}


def match_songs(songs: Sequence[MixSong]) -> MatchResult:
    """Compare every song with every other; without vocals, as accompaniment only.

    Raises:
        InvalidInput: fewer than two songs, or no song has vocals.
    """
    if len(songs) < 2:
        raise InvalidInput("match: fewer than two songs; name two or more")
    profiles = [SongFeatures.of(song) for song in songs]
    pairs = [
        (vocals, backing)
        for vocals, backing in permutations(profiles, 2)
        if can_sing(vocals.song) and backing.song.instruments
    ]
    if not pairs:
        raise InvalidInput("match: no song has vocals; name a song with vocals")
    matches = [compare_songs(vocals, backing) for vocals, backing in pairs]
    notes = [
        f"{song.name} is not separated: its mix is compared as vocals and instruments"
        for song in songs
        if is_whole(song)
    ]
    return MatchResult(tuple(sorted(matches, key=lambda one: -one.total)), tuple(notes))


def is_whole(song: MixSong) -> bool:
    """Return whether a song consists of its mix only."""
    return tuple(song.stems) == (MIX,)


def can_sing(song: MixSong) -> bool:
    """Return whether a song has vocals, or may have."""
    return song.vocals is not None or is_whole(song)
