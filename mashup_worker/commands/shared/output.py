"""Printing of results: text lines, or JSON lines as the only output on stdout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from mashup_worker.commands.shared.names import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mashup_worker.commands.shared.inputs import FoundSongs, Song
    from mashup_worker.errors import MashupError


@dataclass
class Output:
    """Printer of results to stdout and of everything else to stderr.

    Attributes:
        as_json: print only JSON on stdout.
        quiet: print errors only.
        verbose: print more details of each song, and tracebacks of unexpected errors.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def error(self, message: str) -> None:
        """Print an error or a warning on one line of stderr."""
        typer.echo(f"mashup: {one_line(message)}", err=True)

    def note(self, found: FoundSongs) -> None:
        """Print how many files of folders are left out, unless quiet was requested."""
        if not self.quiet and (note := found.note()):
            self.error(note)

    def warn(self, path: Path, warnings: Iterable[str]) -> None:
        """Print the warnings about a file on stderr, unless quiet was requested."""
        self.warnings(f"{path}: {warning}" for warning in warnings)

    def warnings(self, texts: Iterable[str]) -> None:
        """Print warnings on stderr, unless quiet was requested."""
        if not self.quiet:
            for text in texts:
                self.error(text)

    def failure(self, song: Song, error: MashupError) -> None:
        """Print the failure of a song as JSON, if JSON was requested."""
        if self.as_json:
            self.json({"input": str(song.path), **failure_document(error)})

    def json(self, document: dict[str, Any]) -> None:
        """Print a document as one line of JSON, if JSON was requested."""
        if self.as_json:
            typer.echo(json_line(document))

    def line(self, text: str) -> None:
        """Print a text line, unless JSON or quiet was requested."""
        if not (self.as_json or self.quiet):
            typer.echo(one_line(text))


def failure_document(error: MashupError, code: str | None = None) -> dict[str, Any]:
    """Return the JSON of an error; `code` replaces its own."""
    return {"error": {"code": code or error.code, "message": error.message}}


def json_line(document: dict[str, Any]) -> str:
    """Return a document as one line of JSON."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False)
