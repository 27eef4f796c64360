"""Running jobs, and figures of the jobs that ended within a period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mashup_worker.db.named_sql import select
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.db.database import Connection

GroupBy = Literal["user", "job_type"]

MAX_GROUPS = 1_000
"""Most groups of a period; those that used the device least are left out."""


@dataclass(frozen=True, kw_only=True)
class RunningJob:
    """Job that a worker process runs; `age_s` is the time since its attempt started."""

    id: UUID
    worker_id: str | None
    job_type: str
    attempt: int
    stage: str | None
    progress: int
    age_s: float


@dataclass(frozen=True, kw_only=True)
class EndedJobs:
    """Figures of jobs that ended within a period.

    Attributes:
        group: id of the user or job type; None for jobs without a user, and for the total.
        audio_s: duration of the audio of completed jobs.
        device_s: time for which completed jobs occupied a device.
        waiting_s: 50th and 95th percentile of the time that completed jobs waited for their last
            attempt; None without such jobs.
        running_s: the same of the last attempt's duration.
    """

    group: str | None
    completed: int
    failed: int
    canceled: int
    audio_s: float
    device_s: float
    waiting_s: list[float] | None
    running_s: list[float] | None


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Figures of all jobs that ended within a period, and of each group."""

    total: EndedJobs
    groups: tuple[EndedJobs, ...]


def running_jobs(connection: Connection) -> list[RunningJob]:
    """Return all running jobs."""
    return [RunningJob(**row) for row in select(connection, "fleet.running")]


def throughput(
    connection: Connection, *, hours: float, group_by: GroupBy | None = None
) -> Throughput:
    """Return the figures of the jobs that ended within the last hours."""
    rows = select(
        connection,
        "fleet.throughput",
        period_s=3_600 * hours,
        group_by=group_by,
        job_types=list(JOB_TYPES),
        limit=MAX_GROUPS if group_by else 0,
    )
    total, *groups = (
        EndedJobs(**{name: value for name, value in row.items() if name != "is_total"})
        for row in rows
    )
    return Throughput(total=total, groups=tuple(groups))
