"""Jobs as JSON, as lines of text, and as rows of a table."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from mashup_worker.commands.shared.progress import song_progress
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from rich.table import Table

    from mashup_worker.db.database import Database
    from mashup_worker.db.jobs import Job
    from mashup_worker.db.queues import QueueState

_REFRESH_S = 0.5
_COLORS = {
    "queued": "cyan",
    "processing": "yellow",
    "completed": "green",
    "failed": "red",
    "canceled": "dim",
}


def document_of(job: Job) -> dict[str, Any]:
    """Return a job as a JSON document."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(job), default=_text))
    return document


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_job(job: Job) -> None:
    """Print a job as lines of text."""
    rows = {
        "job": str(job.id),
        "type": job.job_type,
        "status": state_of(job),
        "user": str(job.user_id or "-"),
        "attempts": f"{job.attempt}, {job.failures} of {job.max_attempts} failures",
        "created": _time(job.created_at),
        "started": _time(job.started_at),
        "ended": _time(job.completed_at),
        "worker": job.worker_id or "-",
    }
    if job.error_message:
        rows["error"] = f"{job.error_code}: {job.error_message}"
    for name, value in rows.items():
        typer.echo(f"{name:10}{value}")
    output = job.output_data or {}
    for stem in output.get("stems") or []:
        typer.echo(f"{stem['kind']:10}{stem['url']}")
    if isinstance(output.get("audio"), dict):
        typer.echo(f"{'audio':10}{output['audio']['url']}")
    for warning in output.get("warnings") or []:
        typer.echo(f"{'warning':10}{warning}")


def state_of(job: Job) -> str:
    """Return the status, with percent and stage while the job runs."""
    if job.status != "processing":
        return job.status
    stage = f", {job.stage}" if job.stage else ""
    return f"{job.status} {job.progress} %{stage}"


def plain_line(job: Job) -> str:
    """Return a job as one line with tabs between its fields."""
    created, error = _time(job.created_at), job.error_code or "-"
    return "\t".join((str(job.id), job.job_type, state_of(job), created, error))


@dataclass(frozen=True)
class JobList:
    """Jobs, the number of all jobs by status, and the paused queues."""

    jobs: Sequence[Job]
    counts: Mapping[str, int]
    paused: Sequence[QueueState]


def queue_line(name: str, paused_at: datetime | None) -> str:
    """Return a line about a queue: since when it is paused, and how to resume it."""
    if paused_at is None:
        return f"queue {name}: jobs start"
    resume = f"run `mashup queue resume {name}` to start its jobs"
    return f"queue {name}: paused since {_time(paused_at)}; {resume}"


def table_of(found: JobList) -> Table:
    """Return a table of jobs for a terminal."""
    from rich.table import Table
    from rich.text import Text

    counts = ", ".join(f"{count} {status}" for status, count in found.counts.items())
    title = "\n".join(
        [counts or "no jobs", *(queue_line(one.name, one.paused_at) for one in found.paused)]
    )
    table = Table("job", "type", "status", "progress", "attempt", "age", "error", title=title)
    for job in found.jobs:
        bar = _bar(job.progress or 0) if job.status == "processing" else ""
        status = Text(job.status, style=_COLORS.get(job.status, ""))
        error = Text(job.error_code or "")
        age = _age(job.created_at)
        table.add_row(str(job.id), job.job_type, status, bar, str(job.attempt), age, error)
    return table


def find_job(database: Database, job_id: UUID) -> Job:
    """Return a job.

    Raises:
        InvalidInput: the job does not exist.
    """
    from mashup_worker.db import jobs

    with database.transaction() as connection:
        job = jobs.find(connection, job_id)
    if job is None:
        raise InvalidInput(f"job {job_id}: not found")
    return job


def follow(database: Database, job_id: UUID, *, quiet: bool) -> Job:
    """Wait for the end of a job, with a progress bar on a terminal. Raises as `find_job`."""
    with song_progress(str(job_id), not quiet) as report:
        while True:
            job = find_job(database, job_id)
            if job.is_terminal:
                return job
            report(job.stage or job.status, (job.progress or 0) / 100)
            time.sleep(_REFRESH_S)


def _bar(percent: int) -> str:
    filled = percent // 10
    return "█" * filled + "░" * (10 - filled) + f" {percent} %"


def _age(since: datetime) -> str:
    return duration_text((datetime.now(UTC) - since).total_seconds())


def duration_text(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _time(at: datetime | None) -> str:
    return "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
