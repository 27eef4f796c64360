"""`mashup migrate`: the schema that jobs need."""

from __future__ import annotations

from typing import Annotated

import typer

from mashup_worker.commands.services import jobs_database
from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.errors import EXIT_FAILED


def migrate(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Change nothing: say what is missing or does not work; 1 if anything."
        ),
    ] = False,
) -> None:
    """Bring the database of DATABASE_URL up to date, and try whether jobs work in it."""
    from mashup_worker.db.migrate import migrate as apply
    from mashup_worker.db.schema_check import schema_problems

    publishing = service_settings_or_fail().results.writes_all_tables
    with jobs_database() as database:
        if not check:
            for name in apply(database.url):
                typer.echo(f"applied {name}")
        found = schema_problems(database, publishing=publishing)
    for fault in found:
        typer.echo(f"mashup: {fault}", err=True)
    if found:
        raise typer.Exit(EXIT_FAILED)
    typer.echo("up to date: jobs can be claimed, finished and published")
