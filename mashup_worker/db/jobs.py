"""Jobs as rows of `ai_jobs`, and the one function that changes their status."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from psycopg.types.json import Jsonb

from mashup_worker.db.named_sql import statements
from mashup_worker.errors import InvalidInput, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.database import Connection

Status = Literal["queued", "processing", "completed", "failed", "canceled"]
STATUSES: tuple[Status, ...] = get_args(Status)
TERMINAL: frozenset[str] = frozenset({"completed", "failed", "canceled"})

Move = Literal[
    "claim",
    "complete",
    "fail",
    "retry",
    "hand_back",
    "stop",
    "cancel_waiting",
    "reject",
    "expire",
]


@dataclass(frozen=True)
class Job:
    """A row of `ai_jobs`.

    Attributes:
        attempt: how often it was claimed; the fence of every write of a running job.
        failures: errors and lost leases, not hand-backs.
        run_at: not before this.
        lease_expires_at: until then the job is its worker's; by the database's clock.
        retry_of: the finished job that this one repeats.
        result_digest: of the work that was done, for jobs that repeat it.
        source_sha256: of the files that it read; None where that is not known.
        source_jobs: whose results it read.
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

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Job:
        """The job of a row; columns that the backend has beside ours are left out."""
        return cls(**{name: row[name] for name in _COLUMNS})


_COLUMNS = tuple(field.name for field in fields(Job))


@dataclass(frozen=True)
class Claim:
    """Who holds a job: what every write of a running job is fenced by."""

    id: UUID
    attempt: int
    worker_id: str

    @property
    def fence(self) -> dict[str, Any]:
        """The claim as parameters of a statement."""
        return {"id": self.id, "attempt": self.attempt, "worker_id": self.worker_id}

    def holds(self, job: Job) -> bool:
        """Whether the row still says so, or says that this very attempt ended."""
        return (job.attempt, job.worker_id) == (self.attempt, self.worker_id)


def move(connection: Connection, kind: Move, /, **parameters: Any) -> Job | None:
    """Change a job's status, the only way there is.

    Args:
        connection: in a transaction.
        kind: one of `sql/moves.sql`.
        parameters: what that statement names.

    Returns:
        The job afterwards, or None where it was not in the state that the move starts from.
    """
    row = connection.execute(statements("moves")[kind], parameters).fetchone()
    return Job.of_row(row) if row else None


def heartbeat(
    connection: Connection, claim: Claim, lease_s: float, progress: int, stage: str | None
) -> bool:
    """Prolong a lease and tell progress.

    Returns:
        Whether somebody asked for the job to be canceled.

    Raises:
        LeaseLost: the job is no longer this claim's.
    """
    parameters = {**claim.fence, "lease_s": lease_s, "progress": progress, "stage": stage}
    row = connection.execute(statements("jobs")["heartbeat"], parameters).fetchone()
    if row is None:
        raise LeaseLost
    return bool(row["cancel_requested"])


def find(connection: Connection, job_id: UUID) -> Job | None:
    """The job of an id."""
    row = connection.execute(statements("jobs")["find"], {"id": job_id}).fetchone()
    return Job.of_row(row) if row else None


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
    """A new job, waiting."""
    row = connection.execute(
        statements("jobs")["insert"],
        {
            "user_id": user_id,
            "job_type": job_type,
            "input": Jsonb(input_data),
            "idempotency_key": idempotency_key,
            "priority": priority,
            "retry_of": retry_of,
        },
    ).fetchone()
    assert row is not None, "an INSERT … RETURNING gives a row"  # noqa: S101
    return Job.of_row(row)


def request_cancel(connection: Connection, job_id: UUID) -> Job:
    """Ask for a job to be canceled.

    Raises:
        InvalidInput: there is no such job, or it has ended.
    """
    row = connection.execute(statements("jobs")["request_cancel"], {"id": job_id}).fetchone()
    if row is not None:
        return Job.of_row(row)
    job = find(connection, job_id)
    raise InvalidInput(f"job {job_id} is {job.status} already" if job else f"no job {job_id}")


def select(connection: Connection, query: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a query of `sql/jobs.sql`."""
    return connection.execute(statements("jobs")[query], parameters).fetchall()


def jobs_of(rows: Iterable[Mapping[str, Any]]) -> list[Job]:
    """Rows as jobs."""
    return [Job.of_row(row) for row in rows]


def recent(
    connection: Connection,
    *,
    status: str | None = None,
    job_type: str | None = None,
    user_id: UUID | None = None,
    limit: int = 20,
) -> Sequence[Job]:
    """The newest jobs."""
    rows = select(
        connection, "recent", status=status, job_type=job_type, user_id=user_id, limit=limit
    )
    return jobs_of(rows)
