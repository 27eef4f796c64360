"""Result files of `mashup separate` for a song, compared with those of earlier runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.commands.shared.names import utf8_name
from mashup_worker.commands.shared.stem_records import StemRecord, StemSet
from mashup_worker.errors import InvalidInput
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.commands.shared.song_source import SongSource
    from mashup_worker.commands.shared.stem_records import StemSettings
    from mashup_worker.licenses import License

_REMEDY = (
    "choose another --output-dir or --name-template, or leave out --skip-existing to replace it"
)


@dataclass(frozen=True)
class StemPaths:
    """Paths of the stems of a song by kind, and of their record."""

    stems: Mapping[str, Path]
    record: Path

    def any_exist(self) -> bool:
        """Return whether a file has one of the paths."""
        return any(map(_exists, (self.record, *self.stems.values())))

    def are_complete(self, source: SongSource, settings: StemSettings) -> bool:
        """Return whether the record lists the stems of this song, made with these settings."""
        record = StemRecord.read(self.record)
        return (
            record is not None
            and record.source.sha256 == source.sha256
            and any(one.settings == settings and self._are(one) for one in record.sets)
        )

    def check_replaceable(self, song: Song, source: SongSource) -> None:
        """Check that existing files are stems of this song, perhaps of an earlier version of it.

        Raises:
            InvalidInput: they are stems of another song, or no record lists them.
        """
        record = StemRecord.read(self.record)
        listed = frozenset[str]() if record is None else record.own_files
        if record is not None and not record.source.is_same_song(source):
            if any(_exists(self.record.parent / name) for name in listed):
                raise InvalidInput(
                    f"{song.path}: {self.record} lists stems of another song, "
                    f"{record.source.path}; {_REMEDY}"
                )
            listed = frozenset()
        for path in self.stems.values():
            if _exists(path) and self._name(path) not in listed:
                raise InvalidInput(
                    f"{song.path}: {path} exists, and no record says that it is a stem of this "
                    f"song; {_REMEDY}"
                )

    def begin(self, source: SongSource) -> None:
        """Record that the stems are about to be replaced.

        Raises:
            StorageFailed: the record cannot be written.
        """
        names = frozenset(map(self._name, self.stems.values()))
        self._write(self._current(source).replaced(source, names))

    def complete(self, source: SongSource, settings: StemSettings, terms: License) -> None:
        """Record the stems as complete. Raises as `begin`."""
        sizes = {self._name(path): path.stat().st_size for path in self.stems.values()}
        made = StemSet(settings=settings, model_license=terms.as_dict(), files=sizes)
        self._write(self._current(source).completed(made))

    def _current(self, source: SongSource) -> StemRecord:
        return StemRecord.read(self.record) or StemRecord(source=source)

    def _name(self, path: Path) -> str:
        """Return the path of a stem in the record."""
        return utf8_name(os.path.relpath(path, self.record.parent))

    def _are(self, one: StemSet) -> bool:
        """Return whether the stems exist with the recorded sizes."""
        return all(
            path.is_file() and path.stat().st_size == one.files.get(self._name(path))
            for path in self.stems.values()
        )

    def _write(self, record: StemRecord) -> None:
        write_atomically(self.record, record.to_text().encode())


def _exists(path: Path) -> bool:
    """Return whether a path exists; False for names that are too long, unlike `Path.exists`."""
    return os.path.lexists(path)
