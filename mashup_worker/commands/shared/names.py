"""Names of files: shown on one line, compared as file systems do, and distinct for every song."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mashup_worker.audio.formats import without_audio_suffix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.commands.shared.inputs import Song

_MAX_NAME_BYTES = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def real_path(path: PurePath | str) -> Path:
    """Return the path without links and dots; never fails, unlike `Path.resolve`."""
    return Path(os.path.realpath(path))


def one_line(text: str) -> str:
    r"""Return text with its control characters escaped, as `\n`; names of files may hold them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def utf8_name(path: PurePath | str) -> str:
    r"""Return a name for JSON, with bytes that are not UTF-8 escaped, as `\xe9`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def folded(path: PurePath | str) -> str:
    """Return the form of a name that is equal for names which some file systems do not distinguish.

    These differ in case or in Unicode normalization only.
    """
    decomposed = unicodedata.normalize("NFD", str(path))
    return unicodedata.normalize("NFC", decomposed.casefold())


def fitting(name: str, suffix: str) -> str:
    """Return `name` with a suffix, shortened to the longest name that file systems accept.

    A digest of the whole name keeps shortened names distinct.
    """
    data = os.fsencode(name)
    if len(data) + len(os.fsencode(suffix)) <= _MAX_NAME_BYTES:
        return name + suffix
    end = f"~{hashlib.sha256(data).hexdigest()[:8]}{suffix}"
    start = data[: _MAX_NAME_BYTES - len(os.fsencode(end))].decode(errors="ignore")
    return start + end


def with_distinct_tracks(songs: Sequence[Song]) -> list[Song]:
    """Return the songs with tracks that no file system takes for the same.

    Songs of one track are named by their paths below the folder that all of them share: without
    the suffix where that suffices, with it otherwise, and with a number as the last resort.
    """
    groups: dict[str, list[Song]] = defaultdict(list)
    for song in songs:
        if song.problem is None:
            groups[folded(song.track)].append(song)
    taken = {track for track, group in groups.items() if len(group) == 1}
    distinct = {}
    for group in groups.values():
        if len(group) > 1:
            for song, track in zip(group, _below_shared_folder(group), strict=True):
                distinct[id(song)] = free = _free(track, taken)
                taken.add(folded(free))
    return [replace(song, track=distinct.get(id(song), song.track)) for song in songs]


def _below_shared_folder(songs: Sequence[Song]) -> list[str]:
    wholes = [Path(os.path.abspath(song.path)) for song in songs]  # noqa: PTH100 - keeps links
    depths = [len(PurePath(song.track).parts) - 1 for song in songs]
    roots = [path.parents[depth] for path, depth in zip(wholes, depths, strict=True)]
    shared = os.path.commonpath(roots)
    names = [path.relative_to(shared).as_posix() for path in wholes]
    shorts = [
        name if song.stems else without_audio_suffix(name)
        for song, name in zip(songs, names, strict=True)
    ]
    short_counts, counts = Counter(map(folded, shorts)), Counter(map(folded, names))
    return [
        name if short_counts[folded(short)] > 1 == counts[folded(name)] else short
        for short, name in zip(shorts, names, strict=True)
    ]


def _free(track: str, taken: set[str]) -> str:
    """Return the track, with a number if it is taken."""
    folder, slash, name = track.rpartition("/")
    for number in count(2):
        if folded(track) not in taken:
            break
        track = folder + slash + fitting(name, f" ({number})")
    return track
