"""Names of the songs of a mashup, in which a song may play more than once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence

    from mashup_worker.pipelines.mashup.songs import SongFiles


@dataclass
class Playlist:
    """Assignment of stems to songs, in the order in which they play.

    Stems that are added again start a repetition of their song under a name of its own.

    Attributes:
        names: names of all songs, which repetitions must not take.
    """

    names: Collection[str]
    _last: dict[str, str] = field(default_factory=dict)
    _sources: dict[str, dict[str, Hashable]] = field(default_factory=dict)

    def add(self, song: str, sources: Mapping[str, Hashable]) -> str:
        """Return the name of the song, or of its repetition, that stems belong to.

        Sources, given by kind, are compared: different sources of one kind are not a repetition.
        """
        name = self._last.get(song, song)
        if self._sources.get(name, {}).items() & sources.items():
            name = _numbered(song, {*self.names, *self._sources})
        self._last[song] = name
        self._sources[name] = {**sources, **self._sources.get(name, {})}
        return name


def with_distinct_names(songs: Sequence[SongFiles]) -> list[SongFiles]:
    """Return songs with a number after each name that an earlier song has."""
    names = {one.name for one in songs}
    distinct: dict[str, SongFiles] = {}
    for one in songs:
        name = _numbered(one.name, names | distinct.keys()) if one.name in distinct else one.name
        distinct[name] = replace(one, name=name)
    return list(distinct.values())


def _numbered(name: str, taken: Collection[str]) -> str:
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
