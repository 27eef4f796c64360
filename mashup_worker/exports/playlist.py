"""Playlists in extended M3U, with paths in UTF-8, as Serato, Traktor and players read them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.audio.probe import probe
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.collection import entries_of, playing_path
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong

PLAYLIST_NAME = "playlist.m3u8"


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Part of a file to play."""

    path: Path
    title: str
    start_s: float
    stop_s: float


def write_excerpt_playlist(excerpts: Iterable[Excerpt], target: Path) -> None:
    """Write a playlist of parts of files, with paths relative to its folder.

    Start and end are options of VLC; other players begin at the start of the file.

    Raises:
        InvalidInput: a path has a line break.
        StorageFailed: the playlist cannot be written.
    """
    lines = [b"#EXTM3U"]
    for one in excerpts:
        path = _path_line(os.path.relpath(one.path, target.parent))
        if {b"\n"[0], b"\r"[0]} & set(path):
            raise InvalidInput(f"{one.title}: its path has a line break; rename the file")
        title = one.title.replace("\n", " ").replace("\r", " ")
        lines.append(f"#EXTINF:{round(one.stop_s - one.start_s)},{title}".encode())
        lines.append(f"#EXTVLCOPT:start-time={one.start_s:.3f}".encode())
        lines.append(f"#EXTVLCOPT:stop-time={one.stop_s:.3f}".encode())
        lines.append(path)
    write_atomically(target, b"\n".join(lines) + b"\n")


def _path_line(path: str) -> bytes:
    """Return the line of a path, which is neither a comment nor begins with spaces."""
    return os.fsencode(f"./{path}" if path.startswith(("#", " ", "\t")) else path)


def write_playlist(
    songs: Sequence[ExportSong], folder: Path, root: str | None = None
) -> list[Path]:
    """Write a playlist of songs; its paths are relative to its folder unless a root is given.

    Raises:
        InvalidInput: a song has no file.
        StorageFailed: the playlist cannot be written.
    """
    lines = [b"#EXTM3U"]
    for entry in entries_of(songs):
        duration_s = probe(entry.path).claimed_duration_s
        name = f"{entry.tags.artist} - {entry.title}" if entry.tags.artist else entry.title
        lines.append(f"#EXTINF:{-1 if duration_s is None else round(duration_s)},{name}".encode())
        if root is None:
            path = os.path.relpath(entry.path, folder)
        else:
            path = playing_path(entry.path, folder, root)
        lines.append(_path_line(path))
    target = folder / PLAYLIST_NAME
    write_atomically(target, b"\n".join(lines) + b"\n")
    return [target]
