"""One call of `mashup export`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mashup_worker.commands.export.results import load_result
from mashup_worker.commands.shared.batch import Batch, check_there
from mashup_worker.commands.shared.progress import song_bars
from mashup_worker.exports.export import COLLECTIONS, export_collection, export_song

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.commands.export.results import Result
    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.commands.shared.output import Output
    from mashup_worker.exports.song import ExportSong
    from mashup_worker.vocabulary import ExportName


@dataclass
class ExportRun:
    """Call of the command; a format that fails for a song does not stop the others."""

    results: Sequence[Result]
    names: Sequence[ExportName]
    folder: Path
    root: str | None
    device: str
    printer: Output
    _listed: list[ExportSong] = field(default_factory=list)

    def all(self) -> None:
        """Export all results, and exit with an error code if any failed."""
        songs = [one.song for one in self.results]
        batch = Batch(songs, self.printer)
        with song_bars(not self.printer.quiet) as bars:
            for result in self.results:
                with bars.song(result.song.path.name) as show:
                    show("read", 0.0)
                    with bars.aside(), batch.collect_failure(result.song):
                        self._export(result, batch)
        for name in self.names:
            if name in COLLECTIONS and self._listed:
                with batch.collect_failure(songs[0]):
                    files = export_collection(self._listed, name, self.folder, self.root)
                    self._print(None, name, files)
        batch.finish()

    def _export(self, result: Result, batch: Batch) -> None:
        if result.plan is None:
            check_there(result.song)
        song = load_result(result, self.names, self.device)
        for name in self.names:
            if name not in COLLECTIONS:
                with batch.collect_failure(result.song):
                    self._print(result.song, name, export_song(song, name, self.folder))
        # Without the sound, which all songs together may be too large to keep.
        kept = song.tracks if song.plan is None else ()
        self._listed.append(replace(song, tracks=kept, sounds={}))

    def _print(self, song: Song | None, name: ExportName, files: Sequence[Path]) -> None:
        source = None if song is None else str(song.path)
        self.printer.json({"input": source, "format": name, "files": [str(one) for one in files]})
        made = files[0] if len(files) == 1 else f"{len(files)} files in {files[0].parent}"
        self.printer.line(f"{made}" if source is None else f"{source} -> {made}")
