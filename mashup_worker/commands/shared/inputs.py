"""Songs of a command: files, folders and globs expanded to a list."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX, FORMATS, STEM_KINDS, stem_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SONG_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *FORMATS,
        *("aac", "ac3", "aif", "aifc", "aiff", "alac", "au", "caf", "m4a", "m4b", "mka", "mp2"),
        *("mp4", "oga", "opus", "w64", "wave", "weba", "webm", "wma", "wv"),
    )
)
"""Extensions of the songs in a folder. A file that is named as an argument may have any."""


@dataclass(frozen=True)
class Song:
    """Input of a command.

    Attributes:
        path: the file, or the folder of a song in stems. Existence is checked when it is opened.
        track: name of the results; contains slashes for songs below a folder.
        stems: files of a song in stems, by kind; empty for a song in one file.
    """

    path: Path
    track: str
    stems: Mapping[str, Path] = field(default_factory=dict, hash=False)


def stem_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the stems by kind of a folder with the files `names`; empty for other folders.

    A song in stems has files of two or more kinds, or of one kind and the mix without it
    (`no_vocals` or a synonym, such as `accompaniment`). Other files, such as a mix, are ignored. Of
    a kind in several formats, the first by name is used.
    """
    found: dict[str, Path] = {}
    for name in sorted(names):
        path = folder / name
        if path.suffix.lower() in SONG_SUFFIXES:
            found.setdefault(stem_kind(path.stem.lower()), path)
    kinds: list[str] = [kind for kind in STEM_KINDS if kind in found]
    if len(kinds) == 1 and COMPLEMENT_PREFIX + kinds[0] in found:
        kinds.append(COMPLEMENT_PREFIX + kinds[0])
    return {kind: found[kind] for kind in kinds} if len(kinds) > 1 else {}


def find_songs(
    arguments: Sequence[str], output_dir: Path | None = None, *, stem_folders: bool = False
) -> list[Song]:
    """Return the songs that `arguments` name, in order, each once and with a distinct name.

    Folders are searched recursively, without hidden files and `output_dir`. The names of their
    songs contain the path below the folder. A pattern that is also the name of a file means that
    file. An argument without a match, or a folder without songs, becomes a song that fails when it
    is opened.

    Args:
        arguments: files, folders and globs.
        output_dir: folder of results, which are not songs.
        stem_folders: whether a folder of stems (see `stem_files`) is one song instead of several.

    Raises:
        InvalidInput: `output_dir` is one of the folders, so the next run would read its results.
    """
    songs: dict[Path, Song] = {}
    for argument in arguments:
        for song in _expand(argument, output_dir, stem_folders):
            songs.setdefault(real_path(song.path), song)
    by_track: dict[str, list[Song]] = {}
    for song in songs.values():
        by_track.setdefault(song.track, []).append(song)
    return [
        song if len(by_track[song.track]) == 1 else _distinct(song, by_track[song.track])
        for song in songs.values()
    ]


def comma_separated(text: str | None) -> tuple[str, ...]:
    """Return the words between the commas of an option."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def named_kinds(text: str | None) -> tuple[str, ...]:
    """Return the kinds of stems between the commas of an option."""
    return tuple(stem_kind(word) for word in comma_separated(text))


def real_path(path: Path) -> Path:
    """Return the path without links and dots; never fails, unlike `Path.resolve`."""
    return Path(os.path.realpath(path))


def _is_dir(path: Path) -> bool:
    """Test for a folder; False for too long names and unreadable folders, unlike `Path.is_dir`."""
    return os.path.isdir(path)  # noqa: PTH112


def _distinct(song: Song, namesakes: Sequence[Song]) -> Song:
    """Return the song named by its path below the folder that all namesakes share."""
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
        raise InvalidInput(f"{folder}: contains the songs; choose another --output-dir")
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
