"""`mashup queue`: pauses and resumes queues."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.failure import service_settings_or_fail, usage_errors
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database

if TYPE_CHECKING:
    from mashup_worker.db.queues import QueueState

app = typer.Typer(no_args_is_help=True, help="Pause and resume the start of jobs.")

QueueName = Annotated[str, typer.Argument(help="Name of a queue in MASHUP_QUEUES.")]


@app.command()
def pause(name: QueueName, as_json: AsJson = False) -> None:
    """Start no job of a queue until it is resumed; running jobs continue."""
    from mashup_worker.db import queues

    settings = service_settings_or_fail().queue
    with usage_errors(), jobs_database() as database, database.transaction() as connection:
        paused = queues.pause(connection, name, settings.queues)
    _print(paused, as_json=as_json)


@app.command()
def resume(name: QueueName, as_json: AsJson = False) -> None:
    """Start the jobs of a queue again, those that wait at once."""
    from mashup_worker.db import queues

    settings = service_settings_or_fail().queue
    with usage_errors(), jobs_database() as database, database.transaction() as connection:
        resumed = queues.resume(connection, name, settings.queues)
    _print(resumed, as_json=as_json)


def _print(queue: QueueState, *, as_json: bool) -> None:
    from mashup_worker.commands.shared.job_view import queue_line

    since = None if queue.paused_at is None else queue.paused_at.isoformat()
    document = {"name": queue.name, "job_types": queue.job_types, "paused_at": since}
    typer.echo(json.dumps(document) if as_json else queue_line(queue.name, queue.paused_at))
