"""What commands print: lines for people, or data on stdout and nothing else there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.errors import MashupError


@dataclass(frozen=True)
class Output:
    """Results go to stdout, everything else to stderr.

    Attributes:
        as_json: print JSON and nothing else on stdout.
        quiet: print errors only.
        verbose: print more of each song, and tracebacks of errors nobody foresaw.
    """

    as_json: bool
    quiet: bool
    verbose: bool

    def error(self, message: str) -> None:
        """Say what went wrong, in one line."""
        typer.echo(f"mashup: {message}", err=True)

    def failure(self, song: Song, error: MashupError) -> None:
        """Record that a song failed."""
        if self.as_json:
            self.json(failure_document(song, error))

    def json(self, document: dict[str, Any]) -> None:
        """Print a line of JSON, where it is asked for."""
        if self.as_json:
            typer.echo(json_line(document))

    def line(self, text: str) -> None:
        """Print a line for people, where they want one."""
        if not (self.as_json or self.quiet):
            typer.echo(text)


def failure_document(song: Song, error: MashupError) -> dict[str, Any]:
    """What JSON says of a song that failed."""
    return {"input": str(song.path), "error": {"code": error.code, "message": error.message}}


def json_line(document: dict[str, Any]) -> str:
    """A document on one line."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False)
