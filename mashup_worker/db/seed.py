"""Seed tracks in the queue: a job and a mashup for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection


def latest(connection: Connection, user: UUID, key: str) -> jobs.Job | None:
    """The job with this idempotency key, or the last one that repeats it."""
    rows = _rows(connection, "latest", user=user, key=key)
    return jobs.Job.of_row(rows[0]) if rows else None


def check(connection: Connection, user: UUID) -> None:
    """Make sure that mashups of the user's can be made; none is.

    Args:
        connection: in a transaction.
        user: whose they would be.

    Raises:
        psycopg.errors.ForeignKeyViolation: there is no such user.
    """
    with connection.transaction(force_rollback=True):
        _rows(connection, "seed_mashup", user=user, title="")


def insert(
    connection: Connection, user: UUID, key: str, title: str, document: Mapping[str, Any]
) -> jobs.Job:
    """A mashup of the user's, and the job that separates its song.

    Args:
        connection: in a transaction.
        user: whose they are.
        key: the job's idempotency key.
        title: of the mashup.
        document: the job's input, but for the mashup.

    Raises:
        psycopg.errors.ForeignKeyViolation: there is no such user.
        psycopg.errors.UniqueViolation: there is such a job.
    """
    mashup = _rows(connection, "seed_mashup", user=user, title=title)[0]["id"]
    return jobs.insert(
        connection,
        "separate",
        {**document, "mashup_id": str(mashup)},
        user_id=user,
        idempotency_key=key,
    )


def states(connection: Connection, job_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Status, progress and error of jobs."""
    return _rows(connection, "states", jobs=list(job_ids))


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return connection.execute(statements("seed")[query], parameters).fetchall()
