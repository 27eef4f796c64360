"""Seed tracks in the queue: one job and one mashup each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection


def latest(connection: Connection, user: UUID, key: str) -> jobs.Job | None:
    """Return the latest retry of the job with an idempotency key, or the job itself."""
    found = jobs.select_jobs(connection, "seed.latest", user=user, key=key)
    return found[0] if found else None


def check(connection: Connection, user: UUID) -> None:
    """Check in a transaction that mashups of a user can be inserted, and insert none.

    Raises:
        psycopg.errors.ForeignKeyViolation: the user does not exist.
    """
    with connection.transaction(force_rollback=True):
        select(connection, "seed.seed_mashup", user=user, title="")


def insert(
    connection: Connection, *, user: UUID, key: str, title: str, document: Mapping[str, Any]
) -> jobs.Job:
    """Insert a mashup and, with an idempotency key, the job that separates its song.

    `document` is the input of the job without `mashup_id`.

    Raises:
        psycopg.errors.ForeignKeyViolation: the user does not exist.
        psycopg.errors.UniqueViolation: a job with this key exists.
    """
    mashup = select(connection, "seed.seed_mashup", user=user, title=title)[0]["id"]
    return jobs.insert(
        connection,
        "separate",
        {**document, "mashup_id": str(mashup)},
        user_id=user,
        idempotency_key=key,
    )


def states(connection: Connection, job_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return status, progress and error of jobs."""
    return select(connection, "seed.states", jobs=list(job_ids))
