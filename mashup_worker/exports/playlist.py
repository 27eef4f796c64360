"""Playlists in extended M3U, with paths in UTF-8, as Serato, Traktor and players read them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mashup_worker.audio.probe import probe
from mashup_worker.exports.collection import entries_of, playing_path
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong

PLAYLIST_NAME = "playlist.m3u8"


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
        lines.append(os.fsencode(path))
    target = folder / PLAYLIST_NAME
    write_atomically(target, b"\n".join(lines) + b"\n")
    return [target]
