"""`mashup webhooks`: messages to the addresses that jobs name."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database, uuid_of

if TYPE_CHECKING:
    from mashup_worker.db.webhooks import Message

app = typer.Typer(no_args_is_help=True, help="List webhooks, and send dead ones again.")


@app.command("list")
def list_webhooks(
    status: Annotated[
        str | None, typer.Option(help="Status: waiting, delivered or dead. [all]")
    ] = None,
    job: Annotated[str | None, typer.Option(help="Id of the job. [all]")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most webhooks to print.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List webhooks, the newest first, without the paths of their addresses."""
    from mashup_worker.db.webhooks import MESSAGE_STATUSES, recent

    if status is not None and status not in MESSAGE_STATUSES:
        fail(f"--status {status}: use one of {', '.join(MESSAGE_STATUSES)}")
    job_id = None if job is None else uuid_of(job, "--job")
    with jobs_database() as database, database.transaction() as connection:
        found = recent(connection, status=status, job_id=job_id, limit=limit)
    for message in found:
        _print(message, as_json=as_json)


@app.command()
def retry(
    webhook_id: Annotated[str | None, typer.Argument(help="Id of a dead webhook.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Send all dead webhooks again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a dead webhook again, with the same id, for as long as a new one."""
    from mashup_worker.db import webhooks

    if (webhook_id is None) != every:
        fail("give the id of a webhook, or --all")
    with jobs_database() as database, database.transaction() as connection:
        again = webhooks.retry(
            connection, None if webhook_id is None else uuid_of(webhook_id, "webhook")
        )
    for message in again:
        _print(message, as_json=as_json)


def _print(message: Message, *, as_json: bool) -> None:
    if as_json:
        document = asdict(message)
        del document["url"]  # its path and query may be secrets
        typer.echo(json.dumps(document, default=str))
        return
    tried = f"{message.tries} tries" if message.tries != 1 else "1 try"
    error = f"  {message.error}" if message.error else ""
    typer.echo(
        f"{message.id}  {message.status}  {message.event}  job {message.job_id}  {message.host}  "
        f"{tried}{error}"
    )
