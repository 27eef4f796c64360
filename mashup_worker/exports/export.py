"""Selection of a format by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import EXPORTS, ExportName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong

COLLECTIONS: frozenset[ExportName] = frozenset({"rekordbox", "m3u8"})
"""Formats of which one file lists all songs."""

_OF_STEMS = frozenset({"native-stem", "native-stem-alac", "stem-folder", "loops"})


def export_names(words: Iterable[str], option: str) -> tuple[ExportName, ...]:
    """Return formats by their names, each once.

    Raises:
        InvalidInput: a name is unknown, or missing; the message begins with the option.
    """
    found = tuple(dict.fromkeys(words))
    unknown = [name for name in found if name not in EXPORTS]
    if unknown or not found:
        problem = f"unknown format {unknown[0]!r}" if unknown else "no format"
        raise InvalidInput(f"{option}: {problem}; choose {', '.join(EXPORTS)}")
    return cast("tuple[ExportName, ...]", found)


def need_tracks(names: Iterable[ExportName]) -> bool:
    """Return whether a mashup must be rendered for formats."""
    return not _OF_STEMS.isdisjoint(names)


def export_song(song: ExportSong, name: ExportName, folder: Path) -> list[Path]:
    """Write a song in a format that is none of `COLLECTIONS`; return the files.

    Raises:
        InvalidInput: the song lacks what the format needs, such as stems or a beat.
        EngineUnavailable: a program that the format needs is not installed.
        StorageFailed: a file cannot be written.
    """
    from mashup_worker.exports.click_track import write_click_track
    from mashup_worker.exports.dawproject.write import write_dawproject
    from mashup_worker.exports.loops import write_loops
    from mashup_worker.exports.native_stem import write_native_stem
    from mashup_worker.exports.preview import write_preview
    from mashup_worker.exports.stem_folder import write_stem_folder
    from mashup_worker.exports.wav_chunks import write_wav

    if name in ("native-stem", "native-stem-alac"):
        return write_native_stem(song, folder, "aac" if name == "native-stem" else "alac")
    writers = {
        "dawproject": write_dawproject,
        "stem-folder": write_stem_folder,
        "wav": write_wav,
        "click": write_click_track,
        "loops": write_loops,
        "preview": write_preview,
    }
    return writers[name](song, folder)


def export_collection(
    songs: Sequence[ExportSong], name: ExportName, folder: Path, root: str | None = None
) -> list[Path]:
    """Write songs in one of `COLLECTIONS`; return the files.

    Args:
        songs: the songs.
        name: the format.
        folder: folder of the file.
        root: that folder on the computer that reads the file; None for this one.

    Raises:
        InvalidInput: a song has no file.
        StorageFailed: the file cannot be written.
    """
    from mashup_worker.exports.playlist import write_playlist
    from mashup_worker.exports.rekordbox import write_collection

    write = write_collection if name == "rekordbox" else write_playlist
    return write(songs, folder, root)
