"""Tracks of collections and playlists, and their paths on the computer that plays them."""

from __future__ import annotations

import ntpath
import os
import posixpath
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.exports.song import ExportSong
    from mashup_worker.vocabulary import ExportName


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Track of a collection: a song with its file, or a stem of it."""

    song: ExportSong
    path: Path
    tags: SongTags

    @property
    def title(self) -> str:
        """Title to show."""
        return self.tags.title or "Untitled"


def entries_of(songs: Iterable[ExportSong]) -> list[Entry]:
    """Return the files of songs; of a song without a file, those of its stems.

    Raises:
        InvalidInput: a song has no file, or one whose name has a line break.
    """
    found = [entry for song in songs for entry in _entries(song)]
    for entry in found:
        if {"\n", "\r"} & set(str(entry.path)):
            raise InvalidInput(f"{entry.title}: its path has a line break; rename the file")
    return found


def _entries(song: ExportSong) -> list[Entry]:
    tags = song.music_tags
    if song.file is not None:
        return [Entry(song=song, path=song.file, tags=tags)]
    stems = [
        Entry(song=song, path=track.source, tags=tags.of_stem(track.name))
        for track in song.tracks
        if isinstance(track.source, os.PathLike)
    ]
    if not stems:
        raise InvalidInput(f"{song.title}: no file to list; give the song or its stems")
    return stems


def check_root(root: str, names: Iterable[ExportName]) -> None:
    """Check the path of a folder on the computer that imports collections.

    Raises:
        InvalidInput: it is a URL, or relative where a format needs absolute paths.
    """
    is_absolute = PurePosixPath(root).is_absolute() or PureWindowsPath(root).is_absolute()
    if "://" in root or ("rekordbox" in names and not is_absolute):
        raise InvalidInput(f"--root {root}: not an absolute path; begin with / or a drive")


def playing_path(path: Path, folder: Path, root: str | None) -> str:
    """Return the absolute path of a file on the computer that plays it, with slashes.

    Args:
        path: the file here.
        folder: folder of the exports.
        root: that folder there; None if it is the same computer. Paths relative to the folder stay
            as they are, so the files may be moved with it.

    Raises:
        InvalidInput: the file lies outside the drive of the root.
    """
    if root is None:
        return posixpath.normpath(os.path.abspath(path))  # noqa: PTH100 - keeps links
    relative = os.path.relpath(path, folder)
    drive, top = ntpath.splitdrive(root.replace("\\", "/"))
    top = posixpath.normpath(top or ("/" if drive else "."))
    above = sum(part == os.pardir for part in PurePath(relative).parts)
    if top.startswith("/") and above > len(PurePosixPath(top).parts) - 1:
        raise InvalidInput(f"{path}: outside the root {root}; export into a folder nearer to it")
    return drive + posixpath.normpath(posixpath.join(top, relative))
