"""Jobs as rows of `ai_jobs`, and the one function that changes their status."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from psycopg.types.json import Jsonb

from mashup_worker.db import named_sql
from mashup_worker.errors import Conflict, LeaseLost, NotFound
from mashup_worker.tracing import current_traceparent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.database import Connection

Status = Literal["queued", "processing", "completed", "failed", "canceled"]
STATUSES: tuple[Status, ...] = get_args(Status)
TERMINAL: frozenset[str] = frozenset({"completed", "failed", "canceled"})

StatusChange = Literal[
    "claim",
    "complete",
    "fail",
    "retry",
    "release",
    "cancel_running",
    "cancel_waiting",
    "reject",
    "expire",
]
"""Names of the statements in `sql/status_changes.sql`."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Row of `ai_jobs`.

    Attributes:
        attempt: number of claims; part of the fence of every write to a running job.
        failures: number of errors and lost leases; released attempts do not count.
        run_at: earliest start.
        lease_expires_at: end of the worker's lease, on the database's clock.
        retry_of: ended job that this one repeats.
        result_digest: digest of the work, by which later jobs find the same result.
        source_sha256: digests of the files that the job read; None if unknown.
        source_jobs: jobs whose results the job read; None if unknown.
        deadline: time at which the job is canceled unless it has ended; None for none.
        traceparent: W3C trace context of the request that inserted the job.
    """

    id: UUID
    user_id: UUID | None
    job_type: str
    status: Status
    progress: int
    input_data: Any
    output_data: Any
    error_code: str | None
    error_message: str | None
    created_at: datetime
    completed_at: datetime | None
    attempt: int
    failures: int
    max_attempts: int
    priority: int
    run_at: datetime
    worker_id: str | None
    started_at: datetime | None
    updated_at: datetime
    heartbeat_at: datetime | None
    lease_expires_at: datetime | None
    cancel_requested_at: datetime | None
    idempotency_key: str | None
    stage: str | None
    retry_of: UUID | None
    result_digest: str | None
    source_sha256: list[str] | None
    source_jobs: list[UUID] | None
    deadline: datetime | None
    traceparent: str | None

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self.status in TERMINAL


_COLUMNS = tuple(field.name for field in fields(Job))  # without those that the backend added


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Fence of the writes to a running job: its worker and the number of the attempt."""

    id: UUID
    attempt: int
    worker_id: str

    @property
    def fence(self) -> dict[str, Any]:
        """Parameters of a fenced statement."""
        return {"id": self.id, "attempt": self.attempt, "worker_id": self.worker_id}

    def holds(self, job: Job) -> bool:
        """Return whether a row still belongs to this attempt, running or ended."""
        return (job.attempt, job.worker_id) == (self.attempt, self.worker_id)


def change_status(connection: Connection, change: StatusChange, /, **parameters: Any) -> Job | None:
    """Change the status of a job in a transaction; no other function does.

    Returns:
        The job after the change, or None if it was not in the state that the change starts from.
    """
    return _first(select_jobs(connection, f"status_changes.{change}", **parameters))


def heartbeat(
    connection: Connection, claim: Claim, *, lease_s: float, progress: int, stage: str | None
) -> bool:
    """Renew a lease and store the progress; return whether cancellation is requested.

    Raises:
        LeaseLost: the job no longer belongs to this claim.
    """
    parameters = {**claim.fence, "lease_s": lease_s, "progress": progress, "stage": stage}
    rows = select(connection, "heartbeat", **parameters)
    if not rows:
        raise LeaseLost
    return bool(rows[0]["cancel_requested"])


def find(connection: Connection, job_id: UUID) -> Job | None:
    """Return the job with an id."""
    return _first(select_jobs(connection, "jobs.find", id=job_id))


def insert(
    connection: Connection,
    job_type: str,
    input_data: Any,
    *,
    user_id: UUID | None = None,
    idempotency_key: str | None = None,
    priority: int = 0,
    retry_of: UUID | None = None,
) -> Job:
    """Insert a queued job with the trace context of the current request."""
    [job] = select_jobs(
        connection,
        "jobs.insert",
        user_id=user_id,
        job_type=job_type,
        input=Jsonb(input_data),
        idempotency_key=idempotency_key,
        priority=priority,
        retry_of=retry_of,
        traceparent=current_traceparent(),
    )
    return job


def request_cancel(connection: Connection, job_id: UUID) -> Job:
    """Request the cancellation of an open job.

    Raises:
        NotFound: no job has this id.
        Conflict: the job has ended.
    """
    requested = _first(select_jobs(connection, "jobs.request_cancel", id=job_id))
    if requested is not None:
        return requested
    job = find(connection, job_id)
    if job is None:
        raise NotFound(f"job {job_id}: not found")
    raise Conflict(f"job {job_id}: already {job.status}")


def select(connection: Connection, query: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """Return the rows of a query in `sql/jobs.sql`."""
    return named_sql.select(connection, f"jobs.{query}", **parameters)


def select_jobs(connection: Connection, statement: str, /, **parameters: Any) -> list[Job]:
    """Execute the statement `<file>.<name>` and return the jobs in its rows."""
    rows = named_sql.select(connection, statement, **parameters)
    return [Job(**{name: row[name] for name in _COLUMNS}) for row in rows]


def _first(jobs: Sequence[Job]) -> Job | None:
    return jobs[0] if jobs else None


def recent(
    connection: Connection,
    *,
    status: str | None = None,
    job_type: str | None = None,
    user_id: UUID | None = None,
    limit: int = 20,
) -> Sequence[Job]:
    """Return the newest jobs, filtered by the given values."""
    filters = {"status": status, "job_type": job_type, "user_id": user_id}
    return select_jobs(connection, "jobs.recent", **filters, limit=limit)


def page(
    connection: Connection,
    *,
    status: str | None,
    job_type: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return rows of visible jobs without `input_data` and `output_data`, newest first.

    Args:
        connection: connection with the rights of the reader.
        status: only jobs with this status.
        job_type: only jobs of this type.
        after: `created_at` and id of the last job of the page before.
        limit: largest number of rows.
    """
    created_at, last = after or (None, None)
    return select(
        connection,
        "page",
        status=status,
        job_type=job_type,
        created_at=created_at,
        last=last,
        limit=limit,
    )
