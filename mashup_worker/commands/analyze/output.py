"""Output of `mashup analyze`: text, JSON lines, or CSV rows."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from mashup_worker.analysis.result import Analysis
from mashup_worker.commands.shared.names import one_line
from mashup_worker.commands.shared.output import Output

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from mashup_worker.commands.analyze.work import Outcome
    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.errors import MashupError

SCALARS = tuple(
    name for name, value in Analysis(0.0).as_dict().items() if not isinstance(value, list)
)
"""Fields of an analysis with a single value."""

COLUMNS = ("input", *SCALARS, "beats", "bars", "error")


@dataclass
class AnalysisPrinter(Output):
    """Printer of the analyses of `songs`; with `as_csv`, only CSV on stdout."""

    as_csv: bool = False
    songs: tuple[Song, ...] = ()

    def start(self) -> None:
        """Print the header of CSV."""
        if self.as_csv:
            self._row(COLUMNS)

    def done(self, song: Song, outcome: Outcome) -> None:
        """Print the analysis of a song, from this run or an earlier one."""
        document = outcome.document
        assert document is not None  # noqa: S101
        self.json(document)
        self.warn(song.path, document.get("warnings", ()))
        if self.as_csv:
            analysis = document["analysis"]
            counts = len(analysis["beats_s"]), len(analysis["downbeats_s"])
            self._row((song.path, *(_cell(analysis[name]) for name in SCALARS), *counts, ""))
        elif not (self.as_json or self.quiet):
            self._print_text(song, document, outcome.skipped)

    def failure(self, song: Song, error: MashupError) -> None:
        """Print the failure of a song as JSON or CSV, if requested."""
        super().failure(song, error)
        if self.as_csv:
            self._row((song.path, *[""] * (len(COLUMNS) - 2), error.code))

    def _print_text(self, song: Song, document: dict[str, Any], skipped: bool) -> None:
        from mashup_worker.commands.analyze import text as words

        analysis, name = document["analysis"], one_line(str(song.path))
        note = "from an earlier run" if skipped else ""
        if not (self.verbose or sys.stdout.isatty()):
            self._print(words.line(name, analysis, note))
        elif self.verbose or self._name_width is None:
            self._print(words.block(name, analysis, note, verbose=self.verbose))
        else:
            self._print(words.row(name, analysis, note, self._name_width))

    def _print(self, text: Text) -> None:
        if sys.stdout.isatty():
            self._console.print(text, soft_wrap=True)
        else:
            typer.echo(text.plain)

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return Console(highlight=False)

    @cached_property
    def _name_width(self) -> int | None:
        """Width for names in rows; None if blocks are more readable."""
        from mashup_worker.commands.analyze.text import LEAST_NAME_WIDTH, ROW_WIDTH

        longest = max(len(str(song.path)) for song in self.songs)
        room = self._console.width - ROW_WIDTH
        is_roomy = room >= min(longest, LEAST_NAME_WIDTH)
        return min(longest, room) if len(self.songs) > 1 and is_roomy else None

    def _row(self, cells: tuple[Any, ...]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        typer.echo(text.getvalue(), nl=False)


def _cell(value: Any) -> Any:
    """Return a CSV cell: empty for None, `true` and `false` for booleans."""
    return str(value).lower() if isinstance(value, bool) else value
