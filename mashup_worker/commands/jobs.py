"""`mashup jobs`: lists, shows, cancels and retries jobs."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database, uuid_of
from mashup_worker.errors import EXIT_FAILED, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.commands.shared.job_view import JobList
    from mashup_worker.db.database import Database
    from mashup_worker.db.jobs import Job

app = typer.Typer(no_args_is_help=True, help="List, show, cancel and retry jobs.")

JobId = Annotated[str, typer.Argument(help="Id of the job.")]
_REFRESH_S = 1.0


@app.command("list")
def list_jobs(
    status: Annotated[
        str | None,
        typer.Option(help="Status: queued, processing, completed, failed or canceled. [all]"),
    ] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Job type. [all]")] = None,
    user: Annotated[str | None, typer.Option(help="Id of the jobs' user. [all]")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most jobs to print.")] = 20,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh the table until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    from mashup_worker.commands.shared.job_view import JobList
    from mashup_worker.db import jobs as rows
    from mashup_worker.db.queues import paused

    if status is not None and status not in rows.STATUSES:
        fail(f"--status {status}: use one of {', '.join(rows.STATUSES)}")
    user_id = None if user is None else uuid_of(user, "--user")

    def query(database: Database) -> JobList:
        with database.transaction() as connection:
            found = rows.recent(
                connection, status=status, job_type=job_type, user_id=user_id, limit=limit
            )
            counts = rows.select(connection, "counts")
            queues = paused(connection)
        return JobList(found, {row["status"]: row["jobs"] for row in counts}, queues)

    with jobs_database() as database:
        if watch:
            _watch(lambda: query(database))
        else:
            _print(query(database), as_json=as_json)


@app.command()
def show(
    job_id: JobId,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a job with its result; exit with 1 if it failed."""
    from mashup_worker.commands.shared.job_view import find_job, follow

    key = uuid_of(job_id, "job")
    with jobs_database() as database:
        job = follow(database, key, quiet=as_json) if watch else find_job(database, key)
        if job.status == "queued":
            _print_paused(database, job)
    _show(job, as_json=as_json)
    if job.status == "failed":
        raise typer.Exit(EXIT_FAILED)


@app.command()
def cancel(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel a job: at once if it waits, in seconds if it runs."""
    from mashup_worker.db import jobs as rows

    with jobs_database() as database, database.transaction() as connection:
        job = rows.request_cancel(connection, uuid_of(job_id, "job"))
    _show(job, as_json=as_json)


@app.command()
def retry(job_id: JobId, as_json: AsJson = False) -> None:
    """Insert a copy of an ended job, and print its id."""
    from mashup_worker.commands.shared.job_view import document_of, find_job
    from mashup_worker.db import jobs as rows

    with jobs_database() as database:
        old = find_job(database, uuid_of(job_id, "job"))
        if not old.is_terminal:
            raise InvalidInput(f"job {job_id}: still {old.status}; wait for its end or cancel it")
        with database.transaction() as connection:
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
    from mashup_worker.commands.shared.job_view import document_of, print_job

    if as_json:
        typer.echo(json.dumps(document_of(job)))
    else:
        print_job(job)


def _print_paused(database: Database, job: Job) -> None:
    """Print a line on stderr if the queue of a waiting job is paused."""
    from mashup_worker.commands.shared.job_view import queue_line
    from mashup_worker.db.queues import paused

    with database.transaction() as connection:
        queues = paused(connection)
    for queue in queues:
        if job.job_type in queue.job_types:
            typer.echo(queue_line(queue.name, queue.paused_at), err=True)


def _print(found: JobList, *, as_json: bool) -> None:
    from mashup_worker.commands.shared.job_view import document_of, plain_line, queue_line, table_of

    if sys.stdout.isatty() and not as_json:
        from rich.console import Console

        Console().print(table_of(found))
        return
    for queue in found.paused:
        typer.echo(queue_line(queue.name, queue.paused_at), err=True)
    for job in found.jobs:
        typer.echo(json.dumps(document_of(job)) if as_json else plain_line(job))


def _watch(query: Callable[[], JobList]) -> None:
    """Refresh a table on the terminal."""
    from rich.console import Console
    from rich.live import Live

    from mashup_worker.commands.shared.job_view import table_of

    if not sys.stdout.isatty():
        fail("--watch: needs a terminal")
    with Live(table_of(query()), console=Console(), auto_refresh=False) as live:
        while True:
            time.sleep(_REFRESH_S)
            live.update(table_of(query()), refresh=True)
