"""Identity of a song in the records of its results."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.audio.source import regular_file_size
from mashup_worker.commands.shared.names import real_path, utf8_name
from mashup_worker.errors import InvalidInput
from mashup_worker.system.digests import file_sha256, joined_sha256

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.commands.shared.inputs import Song


@dataclass(frozen=True)
class SongSource:
    r"""Song that results were made of.

    Attributes:
        path: the song's file or folder, relative to the folder of its record, so that both can be
            moved together; bytes that are not UTF-8 are escaped, as `\xe9`.
        sha256: digest of the file, or of the files of the stems.
    """

    path: str
    sha256: str

    @classmethod
    def of(cls, song: Song, folder: Path) -> SongSource:
        """Read a song for the record in a folder.

        Raises:
            InvalidInput: a file cannot be read, or is not a regular file.
        """
        digests = {kind: _sha256(path) for kind, path in song.stems.items()}
        path = os.path.relpath(real_path(song.path), real_path(folder))
        return cls(utf8_name(path), joined_sha256(digests) if digests else _sha256(song.path))

    def is_same_song(self, other: SongSource) -> bool:
        """Return whether both have the same content, or one is a later version of the other."""
        return self.sha256 == other.sha256 or self.path == other.path


def _sha256(path: Path) -> str:
    regular_file_size(path)
    return file_sha256(path, InvalidInput)
