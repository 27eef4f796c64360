"""`mashup jobs`: what is in the queue, and what became of it."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.services import jobs_database, uuid_of
from mashup_worker.commands.shared.failure import fail
from mashup_worker.errors import EXIT_FAILED, EXIT_USAGE, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mashup_worker.db.database import Database
    from mashup_worker.db.jobs import Job

app = typer.Typer(no_args_is_help=True, help="List, show, cancel and retry jobs.")

JobId = Annotated[str, typer.Argument(help="The job's id.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout and nothing else, a line a job.")
]
_REFRESH_S = 1.0


@app.command("list")
def list_jobs(
    status: Annotated[
        str | None, typer.Option(help="queued, processing, completed, failed or canceled.")
    ] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Only this type of job.")] = None,
    user: Annotated[str | None, typer.Option(help="Only jobs of this user.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show jobs, the newest first."""
    from mashup_worker.db import jobs as rows

    if status is not None and status not in rows.STATUSES:
        fail(f"--status {status}: one of {', '.join(rows.STATUSES)}", EXIT_USAGE)
    user_id = None if user is None else uuid_of(user, "--user")

    def look(database: Database) -> tuple[Sequence[Job], dict[str, int]]:
        with database.transaction() as connection:
            found = rows.recent(
                connection, status=status, job_type=job_type, user_id=user_id, limit=limit
            )
            counts = rows.select(connection, "counts")
        return found, {row["status"]: row["jobs"] for row in counts}

    with jobs_database() as database:
        if watch:
            _watch(lambda: look(database))
        else:
            _print(*look(database), as_json=as_json)


@app.command()
def show(
    job_id: JobId,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one job with its result; 1 if it failed."""
    from mashup_worker.commands.job_view import follow
    from mashup_worker.db import jobs as rows

    key = uuid_of(job_id, "job")
    with jobs_database() as database:
        if watch:
            job: Job | None = follow(database, key, quiet=as_json)
        else:
            with database.transaction() as connection:
                job = rows.find(connection, key)
    if job is None:
        raise InvalidInput(f"no job {job_id}")
    _show(job, as_json=as_json)
    if job.status == "failed":
        raise typer.Exit(EXIT_FAILED)


@app.command()
def cancel(job_id: JobId, as_json: AsJson = False) -> None:
    """Ask for a job to be canceled: at once while it waits, within seconds while it runs."""
    from mashup_worker.db import jobs as rows

    with jobs_database() as database, database.transaction() as connection:
        job = rows.request_cancel(connection, uuid_of(job_id, "job"))
    _show(job, as_json=as_json)


@app.command()
def retry(job_id: JobId, as_json: AsJson = False) -> None:
    """Put a finished job into the queue again, as a new job; prints its id."""
    from mashup_worker.commands.job_view import document_of
    from mashup_worker.db import jobs as rows

    key = uuid_of(job_id, "job")
    with jobs_database() as database, database.transaction() as connection:
        old = rows.find(connection, key)
        if old is None:
            raise InvalidInput(f"no job {job_id}")
        if not old.is_terminal:
            raise InvalidInput(f"job {job_id} is {old.status}: only an ended job can be retried")
        new = rows.insert(
            connection,
            old.job_type,
            old.input_data,
            user_id=old.user_id,
            priority=old.priority,
            retry_of=old.id,
        )
    typer.echo(json.dumps(document_of(new)) if as_json else str(new.id))


def _show(job: Job, *, as_json: bool) -> None:
    from mashup_worker.commands.job_view import document_of, print_job

    if as_json:
        typer.echo(json.dumps(document_of(job)))
    else:
        print_job(job)


def _print(found: Sequence[Job], counts: dict[str, int], *, as_json: bool) -> None:
    from mashup_worker.commands.job_view import document_of, plain_line, table_of

    if as_json:
        for job in found:
            typer.echo(json.dumps(document_of(job)))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(table_of(found, counts))
    else:
        for job in found:
            typer.echo(plain_line(job))


def _watch(look: Callable[[], tuple[Sequence[Job], dict[str, int]]]) -> None:
    """A table that follows the queue, on a terminal."""
    from rich.console import Console
    from rich.live import Live

    from mashup_worker.commands.job_view import table_of

    if not sys.stdout.isatty():
        fail("--watch needs a terminal", EXIT_USAGE)
    with Live(table_of(*look()), console=Console(), auto_refresh=False) as live:
        while True:
            time.sleep(_REFRESH_S)
            live.update(table_of(*look()), refresh=True)
