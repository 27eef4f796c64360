"""Songs of a command: files, folders and globs expanded to a list."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mashup_worker.audio.formats import audio_suffix, without_audio_suffix
from mashup_worker.commands.shared.folders import (
    Folder,
    is_export,
    is_folder,
    is_song_file,
    is_system_folder,
    list_folder,
    recorded_files,
    song_names,
    walk,
)
from mashup_worker.commands.shared.names import real_path, utf8_name, with_distinct_tracks
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX, STEM_KINDS, stem_kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

_NAMED = 2
"""Files that a note names before it counts the others."""


@dataclass(frozen=True)
class Song:
    """Input of a command.

    Attributes:
        path: the file, or the folder of a song in stems. Existence is checked when it is opened.
        track: name of the results; contains slashes for songs below a folder.
        stems: files of a song in stems, by kind; empty for a song in one file.
        problem: reason why an argument or a folder gives no song; None for songs.
    """

    path: Path
    track: str
    stems: Mapping[str, Path] = field(default_factory=dict, hash=False)
    problem: str | None = None


@dataclass(frozen=True)
class FoundSongs:
    """Songs of the arguments, in order, each once and with a distinct track.

    Attributes:
        songs: the songs, and the arguments and folders that give none.
        left_out: files in folders that are not audio.
        own_stems: files in folders that are stems of earlier runs.
        exports: files and folders that were exported from songs beside them.
    """

    songs: Sequence[Song]
    left_out: Sequence[PurePath | str] = ()
    own_stems: Sequence[PurePath | str] = ()
    exports: Sequence[PurePath | str] = ()

    def note(self) -> str:
        """Return a line about the files that are left out; empty if there are none."""
        counted = (
            (self.left_out, "file that is not audio", "files that are not audio"),
            (self.own_stems, "stem of an earlier run", "stems of earlier runs"),
            (self.exports, "export of a song", "exports of songs"),
        )
        parts = [
            f"{len(paths)} {one if len(paths) == 1 else many}: {_named(paths)}"
            for paths, one, many in counted
            if paths
        ]
        return f"left out {'; '.join(parts)}" if parts else ""


def stem_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the stems by kind of a folder with the files `names`; empty for other folders.

    A song in stems has files of two or more kinds, or of one kind and the mix without it
    (`no_vocals` or a synonym, such as `accompaniment`). Other files, such as a mix, are ignored. Of
    a kind in several formats, the first by name is used.
    """
    found: dict[str, Path] = {}
    for name in sorted(names):
        if audio_suffix(name):
            kind = stem_kind(without_audio_suffix(name).lower())
            found.setdefault(kind, folder / name)
    kinds: list[str] = [kind for kind in STEM_KINDS if kind in found]
    if len(kinds) == 1 and COMPLEMENT_PREFIX + kinds[0] in found:
        kinds.append(COMPLEMENT_PREFIX + kinds[0])
    return {kind: found[kind] for kind in kinds} if len(kinds) > 1 else {}


def find_songs(
    arguments: Sequence[str], output_dir: Path | None = None, *, stem_folders: bool = False
) -> FoundSongs:
    """Return the songs that `arguments` name.

    Folders are searched recursively, without `output_dir`, stems of earlier runs and exports of
    songs beside them. The tracks of their songs contain the path below the folder. A pattern that
    is also the name of a file means that file. An argument without a match, or a folder without
    songs, becomes a song with a `problem`.

    Args:
        arguments: files, folders and globs.
        output_dir: folder of results, which are not songs.
        stem_folders: whether a folder of stems (see `stem_files`) is one song instead of several.

    Raises:
        InvalidInput: `output_dir` is one of the folders, so the next run would read its results.
    """
    search = _Search(None if output_dir is None else real_path(output_dir), stem_folders)
    for argument in arguments:
        search.add_argument(argument)
    return search.found()


def comma_separated(text: str | None) -> tuple[str, ...]:
    """Return the words between the commas of an option."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def named_kinds(text: str | None) -> tuple[str, ...]:
    """Return the kinds of stems between the commas of an option."""
    return tuple(stem_kind(word) for word in comma_separated(text))


@dataclass
class _Search:
    """Search for songs; `results` is the real path of the folder of results."""

    results: Path | None
    stem_folders: bool
    _songs: dict[Path, Song] = field(default_factory=dict)
    _left_out: dict[Path, Path] = field(default_factory=dict)
    _own_stems: dict[Path, Path] = field(default_factory=dict)
    _exports: dict[Path, Path] = field(default_factory=dict)

    def found(self) -> FoundSongs:
        """Return the songs and the files that are left out; a file that is named is a song."""
        left_out = (self._left_out, self._own_stems, self._exports)
        for found in left_out:
            for path in found.keys() & self._songs.keys():
                del found[path]
        songs = with_distinct_tracks(list(self._songs.values()))
        return FoundSongs(songs, *(list(found.values()) for found in left_out))

    def add_argument(self, argument: str) -> None:
        """Add the songs of an argument, or the argument with the reason why it gives none."""
        path = Path(argument)
        problem = None
        stems = len(self._own_stems)
        if is_folder(path):
            if not self._add_folder(path):
                problem = "no songs in this folder"
        elif os.path.lexists(path) or not glob.has_magic(argument):
            self._add(Song(path, without_audio_suffix(path.name)))
        elif not self._add_matches(argument):
            problem = "no songs match this pattern"
        if problem is not None:
            if len(self._own_stems) > stems:
                problem += ", only stems of earlier runs; name their files to use them"
            self._add(Song(path, path.name, problem=problem))

    def _add(self, song: Song) -> bool:
        self._songs.setdefault(real_path(song.path), song)
        return True

    def _add_matches(self, pattern: str) -> bool:
        """Add the songs of a pattern; return whether there are any."""
        base = Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
        is_inside = self._is_result(base)
        matches = [match for match in _matches(pattern) if is_inside or not self._is_result(match)]
        folders = {parent: list_folder(parent) for parent in {match.parent for match in matches}}
        recorded = self._recorded(folders.values())
        songs = {parent: song_names(folder) for parent, folder in folders.items()}
        found = False
        for match in matches:
            if self._is_export(match, songs[match.parent]):
                continue
            if not is_folder(match):
                found |= self._add_file(match, match.name, recorded)
            elif not is_system_folder(match.name):
                found |= self._add_folder(match)
        return found

    def _add_folder(self, top: Path) -> bool:
        """Add the songs below a folder; return whether there are any."""
        if real_path(top) == self.results:
            raise InvalidInput(f"{top}: contains the songs; choose another --output-dir")
        is_inside = self._is_result(top)
        folders = list(walk(top, lambda path: not is_inside and self._is_result(path)))
        recorded = self._recorded(folders)
        found = False
        songs: dict[Path, Collection[str]] = {}
        for folder in folders:
            if folder.path != top:
                above = folder.path.parent
                if above not in songs or self._is_export(folder.path, songs[above]):
                    continue
            songs[folder.path] = song_names(folder)
            here, below = folder.path, folder.path.relative_to(top)
            if folder.problem is not None:
                found = self._add(Song(here, here.name, problem=folder.problem))
            elif self.stem_folders and (stems := stem_files(here, folder.files)):
                track = below.as_posix() if below.parts else real_path(here).name
                found = self._add(Song(here, track, stems))
            else:
                for name in folder.files:
                    if self._is_export(here / name, songs[here]):
                        continue
                    if is_inside or not self._is_result(here / name):
                        found |= self._add_file(here / name, (below / name).as_posix(), recorded)
        return found

    def _add_file(self, path: Path, name: str, recorded: Collection[str]) -> bool:
        """Add a file of a folder or pattern; return whether it is a song."""
        if recorded and utf8_name(real_path(path)) in recorded:
            if audio_suffix(path.name):
                self._own_stems.setdefault(real_path(path), path)
            return False
        if not is_song_file(path):
            self._left_out.setdefault(real_path(path), path)
            return False
        return self._add(Song(path, without_audio_suffix(name)))

    def _recorded(self, folders: Iterable[Folder]) -> frozenset[str]:
        """Return the results of earlier runs that folders record, unless stems are wanted."""
        if self.stem_folders:
            return frozenset()
        return frozenset[str]().union(*map(recorded_files, folders))

    def _is_export(self, path: Path, songs: Collection[str]) -> bool:
        """Return whether a file or folder was exported from one of the songs beside it; note it."""
        if is_export(path.name, songs):
            self._exports.setdefault(real_path(path), path)
            return True
        return False

    def _is_result(self, path: Path) -> bool:
        return self.results is not None and real_path(path).is_relative_to(self.results)


def _matches(pattern: str) -> Iterator[Path]:
    """Yield the files and folders of a pattern in order, names that begin with dots too.

    `glob` itself would follow loops of links below `**`.
    """
    parts = Path(pattern).parts
    if "**" not in parts:
        for name in sorted(glob.glob(pattern, include_hidden=True)):  # noqa: PTH207
            yield Path(name)
        return
    start = parts.index("**")
    base = Path(*parts[:start])
    for top in sorted(glob.glob(str(base), include_hidden=True)) if start else ["."]:  # noqa: PTH207
        for folder in walk(Path(top), lambda _: False):
            for name in folder.files:
                path = folder.path / name
                if _fits(path.relative_to(top).parts, parts[start:]):
                    yield path
            if folder.problem is not None:
                yield folder.path


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the pattern matches a path, or a folder above it."""
    if not pattern or not parts:
        return not pattern or tuple(pattern) == ("**",)
    if pattern[0] == "**":
        return _fits(parts, pattern[1:]) or _fits(parts[1:], pattern)
    return fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _named(paths: Sequence[PurePath | str]) -> str:
    """Return the names of the first paths, and the number of the others."""
    names = list(map(str, paths[:_NAMED]))
    if len(paths) > _NAMED:
        names.append(f"{len(paths) - _NAMED} more")
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
