"""Songs of a command: files, folders and globs expanded to a list."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SONG_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("aac", "ac3", "aif", "aifc", "aiff", "alac", "au", "caf", "flac", "m4a", "m4b", "mka"),
        *("mp2", "mp3", "mp4", "oga", "ogg", "opus", "w64", "wav", "wave", "weba", "webm", "wma"),
        "wv",
    )
)
"""What counts as a song in a folder. A file named outright may end as it likes."""

STEM_KINDS = ("vocals", "drums", "bass", "other", "guitar", "piano")
"""Names of files, less the ending, that make a folder a song in stems."""


@dataclass(frozen=True)
class Song:
    """An input of a command.

    Attributes:
        path: the file, which may not exist: that is found out where it is opened. The folder, for a
            song in stems.
        track: what its results are called; may hold slashes for songs below a folder.
        stems: the files of a song in stems, by kind; empty for a song in one file.
    """

    path: Path
    track: str
    stems: Mapping[str, Path] = field(default_factory=dict, hash=False)


def stem_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the stems by kind of a folder with the files `names`; empty for other folders.

    A song in stems has files of two or more kinds, or of one kind and the mix without it
    (`no_vocals`). Other files, such as a mix, are ignored. Of a kind in several formats, the first
    by name is used.
    """
    found: dict[str, Path] = {}
    for name in sorted(names):
        path = folder / name
        if path.suffix.lower() in SONG_SUFFIXES:
            found.setdefault(path.stem.lower(), path)
    kinds = [kind for kind in STEM_KINDS if kind in found]
    if len(kinds) == 1 and f"no_{kinds[0]}" in found:
        kinds.append(f"no_{kinds[0]}")
    return {kind: found[kind] for kind in kinds} if len(kinds) > 1 else {}


def find_songs(
    arguments: Sequence[str], output_dir: Path | None = None, *, stem_folders: bool = False
) -> list[Song]:
    """Return the songs that `arguments` name, in order, each once and with a distinct name.

    Folders are searched recursively, without hidden files and `output_dir`, and give names with the
    path below the folder. A glob is taken as a name where a file has
    that name. An argument that matches nothing, or a folder without songs, stays as it is, to
    fail by its name later.

    Args:
        arguments: files, folders and globs.
        output_dir: folder of results that must not be taken for songs.
        stem_folders: whether a folder of stems (see `stem_files`) is one song instead of several.

    Raises:
        InvalidInput: the results would lie among the songs of a folder, to be taken for songs by
            the next run.
    """
    songs: dict[Path, Song] = {}
    for argument in arguments:
        for song in _expand(argument, output_dir, stem_folders):
            songs.setdefault(real_path(song.path), song)
    by_track: dict[str, list[Song]] = {}
    for song in songs.values():
        by_track.setdefault(song.track, []).append(song)
    return [
        song if len(by_track[song.track]) == 1 else _told_apart(song, by_track[song.track])
        for song in songs.values()
    ]


def real_path(path: Path) -> Path:
    """The path without links and dots; unlike `Path.resolve`, it never fails."""
    return Path(os.path.realpath(path))


def _is_dir(path: Path) -> bool:
    """Unlike `Path.is_dir`, says no of names that are too long and folders that can't be read."""
    return os.path.isdir(path)  # noqa: PTH112


def _told_apart(song: Song, namesakes: Sequence[Song]) -> Song:
    """The song, called by its path below the folder that it shares with its namesakes."""
    shared = os.path.commonpath([real_path(one.path).parent for one in namesakes])
    names = [real_path(one.path).relative_to(shared) for one in namesakes]
    name = real_path(song.path).relative_to(shared)
    if song.stems:
        return replace(song, track=name.as_posix())
    alone = sum(name.with_suffix("") in (other, other.with_suffix("")) for other in names) == 1
    return replace(song, track=(name.with_suffix("") if alone else name).as_posix())


def _expand(argument: str, output_dir: Path | None, stem_folders: bool) -> Iterator[Song]:
    path = Path(argument)
    if _is_dir(path):
        yield from _walk(path, output_dir, stem_folders) or [Song(path, path.name)]
    elif os.path.lexists(path) or not glob.has_magic(argument):
        yield Song(path, path.stem)
    else:
        results = real_path(output_dir) if output_dir else None
        found = False
        for match in sorted(map(Path, glob.glob(argument, recursive=True))):  # noqa: PTH207
            found = True
            if results is not None and real_path(match).is_relative_to(results):
                continue
            if _is_dir(match):
                yield from _walk(match, output_dir, stem_folders)
            else:
                yield Song(match, match.stem)
        if not found:
            yield Song(path, path.stem)


def _walk(folder: Path, output_dir: Path | None, stem_folders: bool) -> list[Song]:
    results = real_path(output_dir) if output_dir else None
    if real_path(folder) == results:
        raise InvalidInput(f"{folder} holds the songs: choose another --output-dir for the stems")
    songs = []
    for where, folders, files in os.walk(folder, onerror=_refuse):
        here = Path(where)
        folders[:] = sorted(
            name for name in folders if name[0] != "." and real_path(here / name) != results
        )
        stems = stem_files(here, files) if stem_folders else {}
        if stems:
            below = here.relative_to(folder).as_posix()
            songs.append(Song(here, real_path(here).name if below == "." else below, stems))
            continue
        for name in sorted(files):
            path = here / name
            if path.suffix.lower() in SONG_SUFFIXES and not name.startswith("."):
                songs.append(Song(path, path.relative_to(folder).with_suffix("").as_posix()))
    return songs


def _refuse(error: OSError) -> None:
    raise InvalidInput(f"{error.filename}: {error.strerror}") from error
