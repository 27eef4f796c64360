"""One call of `mashup export`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.commands.export.results import load_result
from mashup_worker.commands.shared.batch import Batch, check_there
from mashup_worker.commands.shared.progress import song_bars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.commands.export.results import Result
    from mashup_worker.commands.shared.exports import Exporter


@dataclass(frozen=True)
class ExportRun:
    """Call of the command."""

    results: Sequence[Result]
    exporter: Exporter
    folder: Path
    device: str

    def all(self) -> None:
        """Export all results, and exit with an error code if any failed."""
        printer = self.exporter.printer
        batch = Batch([one.song for one in self.results], printer)
        with song_bars(not printer.quiet) as bars:
            for result in self.results:
                with bars.song(result.song.path.name) as show:
                    show("read", 0.0)
                    with bars.aside(), batch.collect_failure(result.song):
                        if result.plan is None:
                            check_there(result.song)
                        song = load_result(result, self.exporter.names, self.device)
                        self.exporter.add(song, result.song, self.folder, batch)
        self.exporter.finish(self.folder, batch)
        batch.finish()
