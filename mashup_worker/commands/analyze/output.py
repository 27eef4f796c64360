"""What `mashup analyze` prints: a block or a line a song, a line of JSON, or rows of CSV."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from mashup_worker.analysis.result import Analysis
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
"""The fields of an analysis that are one value each."""

COLUMNS = ("input", *SCALARS, "beats", "bars", "error")


@dataclass(frozen=True)
class AnalysisPrinter(Output):
    """Prints what is known of each song.

    Attributes:
        as_csv: print rows of CSV and nothing else on stdout.
        songs: the songs to come.
    """

    as_csv: bool = False
    songs: tuple[Song, ...] = ()

    def start(self) -> None:
        """Print what stands above the songs."""
        if self.as_csv:
            self._row(COLUMNS)

    def done(self, song: Song, outcome: Outcome) -> None:
        """Tell of a song that is analysed, now or by an earlier run."""
        document = outcome.document
        assert document is not None  # noqa: S101
        self.json(document)
        if self.as_csv:
            analysis = document["analysis"]
            counts = len(analysis["beats_s"]), len(analysis["downbeats_s"])
            self._row((song.path, *(_cell(analysis[name]) for name in SCALARS), *counts, ""))
        elif not (self.as_json or self.quiet):
            self._people(song, document, outcome.skipped)

    def failure(self, song: Song, error: MashupError) -> None:
        """Record that a song failed."""
        super().failure(song, error)
        if self.as_csv:
            self._row((song.path, *[""] * (len(COLUMNS) - 2), error.code))

    def _people(self, song: Song, document: dict[str, Any], skipped: bool) -> None:
        from mashup_worker.commands.analyze import text as words

        analysis, name = document["analysis"], str(song.path)
        note = "already there" if skipped else ""
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
        """Room for names in a row a song; None where blocks read better."""
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
    """A cell: nothing for what can't be told, and JSON's words for yes and no."""
    return str(value).lower() if isinstance(value, bool) else value
