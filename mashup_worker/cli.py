"""Entry point of the command `mashup`."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from mashup_worker import __version__
from mashup_worker.commands import jobs, models, queue, tokens, webhooks
from mashup_worker.commands.analyze.command import analyze
from mashup_worker.commands.api import api
from mashup_worker.commands.bench.command import bench
from mashup_worker.commands.check import check
from mashup_worker.commands.doctor import doctor
from mashup_worker.commands.enqueue import enqueue
from mashup_worker.commands.export.command import export
from mashup_worker.commands.find import find
from mashup_worker.commands.fleet import fleet
from mashup_worker.commands.maintenance import migrate, schema, sweep
from mashup_worker.commands.master import master
from mashup_worker.commands.match import match
from mashup_worker.commands.mirror import mirror
from mashup_worker.commands.mix.command import mix
from mashup_worker.commands.purge import purge
from mashup_worker.commands.reprocess.command import reprocess
from mashup_worker.commands.separate.command import separate
from mashup_worker.commands.shared.names import one_line
from mashup_worker.commands.studio_link import studio_link
from mashup_worker.commands.up import up
from mashup_worker.commands.worker import worker
from mashup_worker.errors import EXIT_ENVIRONMENT, EXIT_FAILED, MashupError
from mashup_worker.system.allocator import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable

_EXTRAS = {
    "psutil": "local",
    **dict.fromkeys(("fastapi", "uvicorn", "jwt", "python_multipart"), "api"),
}
"""Extra of the package that installs a module which commands import when they run."""


class SectionedGroup(TyperGroup):
    """Command group whose plain help lists commands under the same headings as its rich help."""

    def format_commands(self, _context: Any, formatter: Any) -> None:
        """Write one section for each heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            heading = str(getattr(command, "rich_help_panel", None) or "Commands")
            limit = formatter.width - 6 - max(map(len, self.commands))
            sections.setdefault(heading, []).append((name, command.get_short_help_str(limit)))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=SectionedGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Separate songs into stems, analyze them, and make and master mashups.",
)
_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Songs": (separate, analyze, find, match, mix, master, check, export),
    "Service": (up, worker, mirror, api, studio_link, enqueue, fleet),
    "Maintenance": (migrate, schema, sweep, purge, reprocess, bench, doctor),
}
for heading, commands in _COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=heading)(command)
app.add_typer(jobs.app, name="jobs", rich_help_panel="Service")
app.add_typer(queue.app, name="queue", rich_help_panel="Service")
app.add_typer(tokens.app, name="tokens", rich_help_panel="Service")
app.add_typer(webhooks.app, name="webhooks", rich_help_panel="Service")
app.add_typer(models.app, name="models", rich_help_panel="Maintenance")


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
    """Root of the command line; holds the options before the command."""


def main() -> NoReturn:
    """Run the command line and exit with the code that `errors` documents."""
    # OpenMP threads spin for milliseconds while they wait, which makes two processes on the same
    # cores several times slower than one after the other. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_freed_memory()
    signal.signal(signal.SIGTERM, _end_cleanly)
    # The pool logs each attempt to connect; commands report the outcome.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names may hold bytes of no encoding
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout.isatty():
        app.rich_markup_mode = "rich"
    try:
        app()
    except MashupError as error:
        typer.echo(f"mashup: {one_line(error.message)}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        message = f"the package {error.name} is missing; pip install 'mashup-worker[{extra}]'"
        typer.echo(f"mashup: {message}", err=True)
        sys.exit(EXIT_ENVIRONMENT)
    except OSError as error:  # standard output is full; Typer handles a closed pipe
        typer.echo(f"mashup: {error.strerror or error}", err=True)
        sys.exit(EXIT_FAILED)
    sys.exit()


def _end_cleanly(number: int, _frame: object) -> NoReturn:
    """Exit by an exception, so that incomplete files are removed."""
    sys.exit(128 + number)
