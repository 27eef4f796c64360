"""`mashup migrate`, `mashup schema` and `mashup sweep`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.options import AsJson, DryRun
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


def schema(
    job_type: Annotated[str | None, typer.Argument(help="Job type. [all]")] = None,
    openapi: Annotated[
        bool, typer.Option("--openapi", help="Print the OpenAPI document of the HTTP API.")
    ] = False,
) -> None:
    """Print the JSON Schema of input_data and output_data.

    --openapi needs the extra `api`: pip install 'mashup-worker[api]'.
    """
    if openapi:
        from mashup_worker.api.app import openapi_document

        if job_type is not None:
            fail("--openapi: takes no job type")
        typer.echo(json.dumps(openapi_document(), indent=2, ensure_ascii=False))
        return
    from mashup_worker.queue.validation import schemas

    found = schemas()
    if job_type is not None and job_type not in found:
        fail(f"job type {job_type!r}: unknown; use one of {', '.join(found)}")
    typer.echo(json.dumps(found if job_type is None else found[job_type], indent=2))


def sweep(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove objects below jobs/ that no row references.

    Objects younger than MASHUP_ORPHAN_GRACE_S, one day by default, are kept. The mirror sweeps once
    per hour.
    """
    from mashup_worker.worker.orphans import sweep_results

    with jobs_database() as database:
        swept = sweep_results(database, service_settings_or_fail(), dry_run=dry_run)
    if as_json:
        document = {
            "removed": list(swept.removed),
            "kept": swept.kept,
            "bytes_removed": swept.bytes_removed,
            "dry_run": dry_run,
        }
        typer.echo(json.dumps(document))
        return
    for key in swept.removed:
        typer.echo(key)
    verb = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(swept.removed)} {verb}, {swept.kept} kept", err=True)
