"""Result files of `mashup analyze`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.analysis.result import Analysis
from mashup_worker.commands.shared.inputs import real_path
from mashup_worker.errors import InvalidInput
from mashup_worker.system.files import check_writable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.result import AnalysisOptions
    from mashup_worker.commands.analyze.work import Outcome
    from mashup_worker.commands.shared.inputs import Song

PICTURE_SUFFIX = ".png"


@dataclass(frozen=True)
class ResultPaths:
    """Paths of the requested results of a song: a JSON document and a PNG picture."""

    document: Path | None
    picture: Path | None

    @property
    def paths(self) -> list[Path]:
        """Requested paths."""
        return [path for path in (self.document, self.picture) if path is not None]

    def write(self, outcome: Outcome, options: AnalysisOptions) -> None:
        """Write the results; the document comes last and marks them complete.

        The document contains the options, which `stored` compares.

        Raises:
            StorageFailed: a file cannot be written.
        """
        if self.picture is not None and outcome.picture is not None:
            write_atomically(self.picture, outcome.picture)
        if self.document is not None and outcome.document is not None:
            stored = {**outcome.document, "options": options.as_dict()}
            text = json.dumps(stored, ensure_ascii=False, allow_nan=False, indent=1)
            # Names may contain bytes of no encoding; JSON can only hold them escaped.
            write_atomically(self.document, f"{text}\n".encode(errors="backslashreplace"))

    def stored(self, source: Path, options: AnalysisOptions) -> dict[str, Any] | None:
        """Return the document of an earlier run with the same song and options, or None.

        All other requested files must exist too.
        """
        if self.document is None or not all(path.is_file() for path in self.paths):
            return None
        try:
            document = json.loads(self.document.read_bytes())
            known = document["analysis"].keys() >= Analysis(0.0).as_dict().keys()
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        if (
            document.get("input") != str(source)
            or document.pop("options", None) != options.as_dict()
        ):
            return None
        return document if known and isinstance(document.get("elapsed_s"), int | float) else None


@dataclass
class ResultFiles:
    """Assignment of result files to the songs of a run; no two share a file, none is overwritten.

    `plot` names a picture, or a folder of pictures.

    Raises:
        InvalidInput: one picture for several songs, or a picture that is not PNG.
    """

    songs: Sequence[Song]
    output_dir: Path | None
    plot: str | None
    _taken: dict[Path, Song] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.plot is None or self._plot_folder is not None:
            return
        if Path(self.plot).suffix.lower() != PICTURE_SUFFIX:
            raise InvalidInput(f"--plot {self.plot}: not PNG; use a name with .png or a folder")
        if len(self.songs) > 1:
            raise InvalidInput(
                f"--plot {self.plot}: one picture for {len(self.songs)} songs; use a folder, "
                f"such as {Path(self.plot).with_suffix('')}/"
            )

    def of(self, song: Song) -> ResultPaths:
        """Return the paths of a song after checking that they can be written.

        Raises:
            InvalidInput: results of another song, or a song itself, have the same path.
            StorageFailed: a path is not writable.
        """
        document = self.output_dir / f"{song.track}.json" if self.output_dir else None
        files = ResultPaths(document, self._picture(song))
        for path in files.paths:
            other = self._taken.setdefault(path, song)
            if other is not song:
                raise InvalidInput(
                    f"{song.path}: its results would overwrite those of {other.path}; name the "
                    "folder above both, or write them to different folders"
                )
            if real_path(path) in self._sources:
                raise InvalidInput(f"{song.path}: its results in {path} would overwrite a song")
            check_writable(path)
        return files

    def _picture(self, song: Song) -> Path | None:
        if self.plot is None:
            return None
        folder = self._plot_folder
        return Path(self.plot) if folder is None else folder / f"{song.track}{PICTURE_SUFFIX}"

    @cached_property
    def _plot_folder(self) -> Path | None:
        """Folder that `plot` names: an existing one, or a name without extension."""
        assert self.plot is not None  # noqa: S101
        path = Path(self.plot)
        is_folder = path.is_dir() or self.plot.endswith(os.sep) or not path.suffix
        return path if is_folder else None

    @cached_property
    def _sources(self) -> frozenset[Path]:
        return frozenset(
            real_path(path) for song in self.songs for path in (song.path, *song.stems.values())
        )
