"""`mashup migrate`: brings the database schema up to date."""

from __future__ import annotations

from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.services import jobs_database
from mashup_worker.errors import EXIT_FAILED


def migrate(
    check: Annotated[
        bool,
        typer.Option("--check", help="Report problems and change nothing; exit with 1 if any."),
    ] = False,
) -> None:
    """Migrate the database of DATABASE_URL, and test it with a job."""
    from mashup_worker.db.migrate import migrate as apply
    from mashup_worker.db.schema_check import schema_problems

    publishing = service_settings_or_fail().results.writes_all_tables
    with jobs_database() as database:
        if not check:
            for name in apply(database.url):
                typer.echo(f"applied {name}")
        problems = schema_problems(database, publishing=publishing)
    for problem in problems:
        typer.echo(f"mashup: {problem}", err=True)
    if problems:
        raise typer.Exit(EXIT_FAILED)
    typer.echo("up to date: jobs can be claimed, completed and published")
