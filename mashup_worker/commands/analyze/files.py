"""Result files of `mashup analyze`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from mashup_worker.analysis.result import Analysis
from mashup_worker.commands.shared.names import fitting, folded, real_path
from mashup_worker.commands.shared.song_source import SongSource
from mashup_worker.errors import InvalidInput
from mashup_worker.system.digests import file_sha256
from mashup_worker.system.files import check_writable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.result import AnalysisOptions
    from mashup_worker.commands.analyze.work import Outcome
    from mashup_worker.commands.shared.inputs import FoundSongs, Song

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

        The document contains the song and the options, which `stored` compares.

        Raises:
            StorageFailed: a file cannot be written.
        """
        if self.picture is not None and outcome.picture is not None:
            write_atomically(self.picture, outcome.picture)
        if self.document is not None and outcome.document is not None:
            assert outcome.source is not None, "read for documents"  # noqa: S101
            stored = {
                **outcome.document,
                "source": asdict(outcome.source),
                "options": options.as_dict(),
                "picture_sha256": self._picture_sha256(),
            }
            text = json.dumps(stored, ensure_ascii=False, allow_nan=False, indent=1)
            # Names may contain bytes of no encoding; JSON can only hold them escaped.
            write_atomically(self.document, f"{text}\n".encode(errors="backslashreplace"))

    def stored(self, song: Song, options: AnalysisOptions) -> dict[str, Any] | None:
        """Return the document of an earlier run with the same content and options, or None.

        A requested picture must be the one that was written with the document.

        Raises:
            InvalidInput: the song cannot be read, or the document is that of another song.
        """
        if self.document is None or (document := _read(self.document)) is None:
            return None
        try:
            source = SongSource(**document.pop("source"))
            known = document["analysis"].keys() >= Analysis(0.0).as_dict().keys()
            known = known and isinstance(document["elapsed_s"], int | float)
        except (TypeError, KeyError, AttributeError):
            return None
        current = SongSource.of(song, self.document.parent)
        if not source.is_same_song(current):
            raise InvalidInput(
                f"{song.path}: {self.document} holds the analysis of another song, {source.path}; "
                "choose another --output-dir, or leave out --skip-existing to replace it"
            )
        options_then, picture_then = (
            document.pop(name, None) for name in ("options", "picture_sha256")
        )
        is_current = (
            known
            and source.sha256 == current.sha256
            and options_then == options.as_dict()
            and (self.picture is None or self._picture_sha256() == picture_then != "")
        )
        return {**document, "input": str(song.path)} if is_current else None

    def _picture_sha256(self) -> str:
        """Return the digest of the picture; empty without one."""
        if self.picture is None or not self.picture.is_file():
            return ""
        return file_sha256(self.picture)


def _read(path: Path) -> dict[str, Any] | None:
    """Return the object in a file of JSON, or None."""
    try:
        document = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


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
    _taken: dict[str, Song] = field(default_factory=dict)

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
        files = self._paths(song)
        for path in files.paths:
            other = self._taken.setdefault(folded(path), song)
            if other is not song:
                raise InvalidInput(
                    f"{song.path}: its results would overwrite those of {other.path}; name the "
                    "folder above both, or write them to different folders"
                )
            if folded(real_path(path)) in self._sources:
                raise InvalidInput(f"{song.path}: its results in {path} would overwrite a song")
            check_writable(path)
        return files

    def without_results(self, found: FoundSongs) -> FoundSongs:
        """Return `found`, without this command's own results among the files that are left out."""
        own = {folded(real_path(path)) for song in self.songs for path in self._paths(song).paths}
        others = [path for path in found.left_out if folded(real_path(path)) not in own]
        return replace(found, left_out=others)

    def _paths(self, song: Song) -> ResultPaths:
        document = _below(self.output_dir, song, ".json") if self.output_dir else None
        return ResultPaths(document, self._picture(song))

    def _picture(self, song: Song) -> Path | None:
        if self.plot is None:
            return None
        folder = self._plot_folder
        return Path(self.plot) if folder is None else _below(folder, song, PICTURE_SUFFIX)

    @cached_property
    def _plot_folder(self) -> Path | None:
        """Folder that `plot` names: an existing one, or a name without extension."""
        assert self.plot is not None  # noqa: S101
        path = Path(self.plot)
        is_folder = path.is_dir() or self.plot.endswith(os.sep) or not path.suffix
        return path if is_folder else None

    @cached_property
    def _sources(self) -> frozenset[str]:
        return frozenset(
            folded(real_path(path))
            for song in self.songs
            for path in (song.path, *song.stems.values())
        )


def _below(folder: Path, song: Song, suffix: str) -> Path:
    """Return the path of a result of a song below a folder."""
    track = PurePath(song.track)
    return folder / track.with_name(fitting(track.name, suffix))
