"""Option `--export`, and the files that it writes beside the results of a command."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.folders import exported_name
from mashup_worker.commands.shared.inputs import comma_separated
from mashup_worker.commands.shared.names import real_path
from mashup_worker.system.names import free_name
from mashup_worker.vocabulary import EXPORTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.commands.shared.batch import Batch
    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.commands.shared.output import Output
    from mashup_worker.exports.song import ExportSong
    from mashup_worker.vocabulary import ExportName

ExportFormats = Annotated[
    str | None,
    typer.Option(
        "--export",
        metavar="FORMAT[,FORMAT]",
        help=f"Files for DJ programs and DAWs beside the results: {', '.join(EXPORTS)}.",
    ),
]


def parse_exports(text: str | None) -> tuple[ExportName, ...]:
    """Return the formats of `--export`; none without the option.

    Raises:
        InvalidInput: a format is unknown.
    """
    from mashup_worker.exports.export import export_names

    return () if text is None else export_names(comma_separated(text), f"--export {text}")


@dataclass
class Exporter:
    """Writer of songs in all requested formats; one that fails does not stop the others.

    Attributes:
        root: path of the folder of collections on the computer that imports them.
        inputs: files that no export replaces, besides the songs of the batch.
    """

    names: Sequence[ExportName]
    printer: Output
    root: str | None = None
    inputs: Sequence[Path] = ()
    _listed: list[ExportSong] = field(default_factory=list)
    _taken: dict[Path, set[str]] = field(default_factory=dict)

    def add(self, song: ExportSong, source: Song, folder: Path, batch: Batch) -> None:
        """Write a song in the formats of one song, and keep it for those that list all.

        Songs of one name in a folder are numbered, so that no file replaces another, or an input.
        """
        from mashup_worker.exports.collection import entries_of
        from mashup_worker.exports.export import COLLECTIONS, export_song

        taken = self._taken.setdefault(real_path(folder), self._taken_by_inputs(folder, batch))
        song = replace(song, file_name=free_name(song.name, taken))
        for name in self.names:
            if name not in COLLECTIONS:
                with batch.collect_failure(source):
                    self._print(source, name, export_song(song, name, folder))
        # Without the sound, which all songs together may be too large to keep.
        listed = replace(song, tracks=song.tracks if song.plan is None else (), sounds={})
        if not COLLECTIONS.isdisjoint(self.names):
            with batch.collect_failure(source):
                entries_of([listed])
                self._listed.append(listed)

    def _taken_by_inputs(self, folder: Path, batch: Batch) -> set[str]:
        """Return the names of songs whose exports would replace an input in a folder."""
        home, taken = real_path(folder), set[str]()
        inputs = (path for one in batch.songs for path in (*one.stems.values(), one.path))
        for path in map(real_path, (*self.inputs, *inputs)):
            inside = path.relative_to(home).parts if path.is_relative_to(home) else ()
            if inside and (name := exported_name(inside[0])) is not None:
                free_name(name, taken)
        return taken

    def finish(self, folder: Path, batch: Batch) -> None:
        """Write the formats that list all songs."""
        from mashup_worker.exports.export import COLLECTIONS, export_collection

        for name in self.names:
            if name in COLLECTIONS and self._listed:
                with batch.collect_failure(batch.songs[0]):
                    self._print(
                        None, name, export_collection(self._listed, name, folder, self.root)
                    )

    def _print(self, song: Song | None, name: ExportName, files: Sequence[Path]) -> None:
        source = None if song is None else str(song.path)
        self.printer.json({"input": source, "format": name, "files": [str(one) for one in files]})
        made = files[0] if len(files) == 1 else f"{len(files)} files in {files[0].parent}"
        self.printer.line(f"{made}" if source is None else f"{source} -> {made}")


def song_to_export(
    song: Song, *, whole: Path | None, analysis: Analysis | None, device: str = "cpu"
) -> ExportSong:
    """Return a song, whole or in stems, with its tags; it is analyzed if that was not done yet.

    Args:
        song: the song; its name is the last part of its track.
        whole: file of a song in stems.
        analysis: its analysis, if known.
        device: where an analysis runs.

    Raises:
        InvalidInput: a file cannot be decoded.
    """
    from mashup_worker.audio.tag_reader import read_tags
    from mashup_worker.exports.song import ExportSong, stem_tracks
    from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files

    title = PurePath(song.track).name
    if not song.stems:
        analysis = analysis or analyze_file(song.path, device=device).analysis
        tags = read_tags(song.path).tags
        return ExportSong(title=title, file=song.path, analysis=analysis, tags=tags)
    kind, first = next(iter(song.stems.items()))
    return ExportSong(
        title=title,
        file=whole,
        tracks=stem_tracks(song.stems),
        analysis=analysis or analyze_stem_files(song.stems, device=device).analysis,
        tags=read_tags(first).tags.of_song(kind) if whole is None else read_tags(whole).tags,
    )
