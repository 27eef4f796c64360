"""The command `mashup`: what it offers, and how it ends."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from mashup_worker import __version__
from mashup_worker.commands import jobs, models
from mashup_worker.commands.analyze.command import analyze
from mashup_worker.commands.bench.command import bench
from mashup_worker.commands.check import check
from mashup_worker.commands.doctor import doctor
from mashup_worker.commands.enqueue import enqueue
from mashup_worker.commands.master import master
from mashup_worker.commands.match import match
from mashup_worker.commands.migrate import migrate
from mashup_worker.commands.mirror import mirror
from mashup_worker.commands.mix.command import mix
from mashup_worker.commands.purge import purge
from mashup_worker.commands.reprocess.command import reprocess
from mashup_worker.commands.schema import schema
from mashup_worker.commands.separate.command import separate
from mashup_worker.commands.sweep import sweep
from mashup_worker.commands.up import up
from mashup_worker.commands.worker import worker
from mashup_worker.errors import EXIT_FAILED, MashupError
from mashup_worker.system.allocator import keep_freed_memory

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Separate songs into stems, find their tempo, beats and key, and make mashups of them.",
)
app.command()(separate)
app.command()(analyze)
app.command()(match)
app.command()(mix)
app.command()(master)
app.command()(check)
app.command()(bench)
app.command()(reprocess)
app.add_typer(models.app, name="models")
app.command()(doctor)
app.command()(up)
app.command()(migrate)
app.command()(worker)
app.command()(mirror)
app.command()(enqueue)
app.add_typer(jobs.app, name="jobs")
app.command()(schema)
app.command()(sweep)
app.command()(purge)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mashup-worker {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options before the command."""


def main() -> NoReturn:
    """Run the command line and exit with the code that `errors` documents."""
    # Threads that wait for each other spin for milliseconds by default, which makes two processes
    # on the same cores several times slower than one after the other. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_freed_memory()
    signal.signal(signal.SIGTERM, _end_cleanly)
    # The pool tells of each try on its own; commands tell of the outcome.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may hold what no encoding has
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except MashupError as error:
        typer.echo(f"mashup: {error.message}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # standard output is full; a closed pipe has been seen to
        typer.echo(f"mashup: {error.strerror or error}", err=True)
        sys.exit(EXIT_FAILED)
    sys.exit()


def _end_cleanly(number: int, _frame: object) -> NoReturn:
    """End as by an exception, so that half-written files are removed on the way out."""
    sys.exit(128 + number)
