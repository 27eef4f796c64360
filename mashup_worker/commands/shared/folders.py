"""Walk through folders of songs: each real folder once, without those of systems."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.audio.formats import audio_suffix, without_audio_suffix
from mashup_worker.commands.shared.names import real_path, utf8_name
from mashup_worker.system.names import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

SYSTEM_FILES = ("._*", ".ds_store")
"""Files of macOS, which lie beside songs on disks of other systems; patterns in lower case."""

SYSTEM_FOLDERS = (
    *("#recycle", "$recycle.bin", ".appledouble", ".cache", ".documentrevisions-v100"),
    *(".fseventsd", ".git", ".hg", ".snapshot", ".snapshots", ".spotlight-v100", ".svn"),
    *(".temporaryitems", ".trash", ".trash-*", ".trashes", ".zfs", "@eadir", "__macosx"),
    *("lost+found", "system volume information"),
)
"""Folders of caches, histories and removed files that are not entered; patterns in lower case."""

LIBRARY_RECORD = "song.json"
"""Name of the records of `mashup reprocess`."""

RECORD_STEM, RECORD_SUFFIX = "separation", ".json"
"""Words in the names of the records that `mashup separate` writes beside stems."""

_EXPORT = re.compile(
    r"(.+?)( click\.wav| markers\.wav| preview\.mp3|( ALAC)?\.stem\.m4a"
    r"| loops| \d+(\.\d+)? BPM| without tempo)",
    re.DOTALL,
)
"""Names of files and folders that `mashup_worker.exports` writes; the first group is the song's."""

_NUMBER = re.compile(r" \d+$")
"""End of the names of songs whose name another one has."""

_UNFINISHED = (".crdownload", ".part")
"""Suffixes of files that are being downloaded or written."""


@dataclass(frozen=True)
class Folder:
    """Contents of a folder.

    Attributes:
        path: the folder.
        files: names of its files, links behind others.
        problem: reason why it cannot be read; None where it can.
    """

    path: Path
    files: Sequence[str] = ()
    problem: str | None = None


def walk(top: Path, is_left_out: Callable[[Path], bool]) -> Iterator[Folder]:
    """Yield a folder and those below it, real ones before those that only links lead to.

    Links are followed, and each real folder is yielded once, so loops end. The folders of
    `SYSTEM_FOLDERS` and those for which `is_left_out` is true are not entered.
    """
    seen: set[tuple[int, int]] = set()
    waiting, linked = [top], list[Path]()
    while waiting or linked:
        here = waiting.pop() if waiting else linked.pop(0)
        try:
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(here) as entries:
                found = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            yield Folder(here, problem=error.strerror or str(error))
            continue
        files, folders = list[str](), list[Path]()
        for entry in found:
            if not is_folder(entry):
                files.append(entry.name)
            elif not is_system_folder(entry.name) and not is_left_out(here / entry.name):
                (linked if entry.is_symlink() else folders).append(here / entry.name)
        waiting += reversed(folders)
        yield Folder(here, files)


def list_folder(path: Path) -> Folder:
    """Return a folder without those below it."""
    return next(walk(path, lambda _: True))


def is_folder(path: os.PathLike[str] | str) -> bool:
    """Test for a folder; False for too long names and unreadable folders, unlike `Path.is_dir`."""
    return os.path.isdir(path)  # noqa: PTH112


def is_system_folder(name: str) -> bool:
    """Return whether a folder is one of `SYSTEM_FOLDERS`."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in SYSTEM_FOLDERS)


def song_names(folder: Folder) -> frozenset[str]:
    """Return the names that exports of the songs of a folder have, and of the folder's stems."""
    bases = (
        name.removesuffix(".json").removesuffix(".plan") if name.endswith(".json")
        else without_audio_suffix(name) for name in folder.files
    )  # fmt: skip
    return frozenset(map(safe_name, (*bases, real_path(folder.path).name)))


def exported_name(name: str) -> str | None:
    """Return the name of the song whose export a file or a folder is called; None for others."""
    found = _EXPORT.fullmatch(name)
    return None if found is None else found[1]


def is_export(name: str, songs: Collection[str]) -> bool:
    """Return whether a file or a folder was exported from one of the songs beside it."""
    song = exported_name(name)
    return song is not None and not {song, _NUMBER.sub("", song)}.isdisjoint(songs)


def is_system_file(name: str) -> bool:
    """Return whether a file is one of `SYSTEM_FILES`."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in SYSTEM_FILES)


def is_song_file(path: Path) -> bool:
    """Return whether a file of a folder is taken for a song.

    Its suffix decides. The first bytes decide where the suffix names no container of audio.
    """
    if is_system_file(path.name):
        return False
    if audio_suffix(path.name):
        return True
    if path.name.lower().endswith(_UNFINISHED):
        return False
    from mashup_worker.audio.probe import has_audio

    return has_audio(path)


def recorded_files(folder: Folder) -> frozenset[str]:
    """Return the records of `separate` and `reprocess` in a folder, and the stems that they list.

    All are real paths in the form of `utf8_name`.
    """
    home = real_path(folder.path)
    records = [
        name
        for name in folder.files
        if name == LIBRARY_RECORD
        or (name.endswith(RECORD_SUFFIX) and RECORD_STEM in f"{home.name}/{name}")
    ]
    if not records:
        return frozenset()
    from mashup_worker.commands.shared.stem_records import recorded_names

    names = {name for record in records for name in recorded_names(home / record)}
    return frozenset(os.path.normpath(f"{utf8_name(home)}/{name}") for name in names)
