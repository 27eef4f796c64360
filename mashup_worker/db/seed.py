"""Seed tracks in the queue: one job and one mashup each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection


def latest(connection: Connection, user: UUID, key: str) -> jobs.Job | None:
    """Return the latest retry of the job with an idempotency key, or the job itself."""
    rows = _rows(connection, "latest", user=user, key=key)
    return jobs.Job.from_row(rows[0]) if rows else None


def check(connection: Connection, user: UUID) -> None:
    """Check that mashups of a user can be inserted, and insert none.

    Args:
        connection: in a transaction.
        user: owner of the mashups.

    Raises:
        psycopg.errors.ForeignKeyViolation: the user does not exist.
    """
    with connection.transaction(force_rollback=True):
        _rows(connection, "seed_mashup", user=user, title="")


def insert(
    connection: Connection, *, user: UUID, key: str, title: str, document: Mapping[str, Any]
) -> jobs.Job:
    """Insert a mashup and the job that separates its song.

    Args:
        connection: in a transaction.
        user: owner of both.
        key: idempotency key of the job.
        title: title of the mashup.
        document: input of the job without `mashup_id`.

    Raises:
        psycopg.errors.ForeignKeyViolation: the user does not exist.
        psycopg.errors.UniqueViolation: a job with this key exists.
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
    """Return status, progress and error of jobs."""
    return _rows(connection, "states", jobs=list(job_ids))


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return connection.execute(statements("seed")[query], parameters).fetchall()
