"""Exports as objects of a store: one file a format, under a fixed name."""

from __future__ import annotations

import time
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mashup_worker.errors import DeviceLost, MashupError, StorageFailed
from mashup_worker.exports.export import COLLECTIONS, export_collection, export_song

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong
    from mashup_worker.vocabulary import ExportName

EXPORT_STAGE = "export"
"""Stage of jobs that have exports."""

_BESIDE = ""
"""Root of collections: their files lie beside the results, wherever these are downloaded to."""

_STEM_FILE = ".stem.m4a"

UNTITLED = "song"
"""Title of a song without one."""


@dataclass(frozen=True)
class Exports:
    """Files of formats, each under the name of its object, and reasons for those that failed."""

    files: Mapping[ExportName, Path] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, Path]:
        """The files by the names of their objects."""
        return {path.name: path for path in self.files.values()}


def write_exports(
    song: ExportSong,
    names: Sequence[ExportName],
    folder: Path,
    on_progress: Callable[[str, float], None],
) -> Exports:
    """Write a song in formats; a format that a song lacks something for becomes a warning.

    Several files of a format become one ZIP.

    Args:
        song: the song; collections list its stems, since its own file is no result.
        names: the formats.
        folder: folder of the results, in which collections find them.
        on_progress: called with the stage `export`.

    Raises:
        StorageFailed: a file cannot be written.
    """
    files: dict[ExportName, Path] = {}
    warnings: list[str] = []
    start_s = time.perf_counter()
    for number, name in enumerate(names):
        on_progress(EXPORT_STAGE, number / len(names))
        home = folder / f"exports-{name}"
        try:
            if name in COLLECTIONS:
                is_separated = song.plan is None and song.tracks
                listed = replace(song, file=None) if is_separated else song
                made = export_collection([listed], name, folder, _BESIDE)
            else:
                made = export_song(song, name, home)
        except (StorageFailed, DeviceLost):
            raise
        except MashupError as error:
            warnings.append(f"export {name}: {error.message}")
            continue
        files[name] = _object(made, name, home, folder)
    timings_s = {EXPORT_STAGE: time.perf_counter() - start_s} if names else {}
    return Exports(files, tuple(warnings), timings_s)


def _object(made: Sequence[Path], name: ExportName, home: Path, folder: Path) -> Path:
    """Return one file under a fixed name, since names of objects contain no text of users."""
    if len(made) == 1:
        suffix = _STEM_FILE if made[0].name.endswith(_STEM_FILE) else made[0].suffix
        return made[0].rename(folder / f"export-{name}{suffix}")
    target = folder / f"export-{name}.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for path in made:
            archive.write(path, path.relative_to(home))
    return target
