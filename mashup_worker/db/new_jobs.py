"""Insertion of jobs for users of the API: rights, limits, and keys of repeated requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.errors import ForeignKeyViolation
from psycopg.types.json import Jsonb

from mashup_worker.db.jobs import Job, select_jobs
from mashup_worker.db.named_sql import select
from mashup_worker.db.tiers import TierLimit
from mashup_worker.errors import InvalidInput
from mashup_worker.tracing import current_traceparent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection


def with_key(connection: Connection, user_id: UUID | None, idempotency_key: str) -> Job | None:
    """Return the job that a user inserted with a key."""
    found = select_jobs(
        connection, "new_jobs.with_key", user_id=user_id, idempotency_key=idempotency_key
    )
    return found[0] if found else None


def reached_limit(connection: Connection, user_id: UUID, job_type: str) -> TierLimit | None:
    """Return the limit that forbids a user one more job; None if it may be inserted.

    A lock for the user lasts until the transaction ends, so that parallel requests can't exceed the
    limit. Needs the API's own role.
    """
    rows = select(connection, "new_jobs.over_quota", user_id=user_id, job_type=job_type)
    return TierLimit(**rows[0]) if rows else None


def unreadable_stems(
    connection: Connection, user_id: UUID | None, stems: Sequence[UUID]
) -> list[UUID]:
    """Return the stems that do not exist, or that a user's job must not read.

    Needs the API's own role.
    """
    rows = select(connection, "new_jobs.unreadable_stems", user_id=user_id, stems=list(stems))
    return [row["id"] for row in rows]


def insert(
    connection: Connection,
    job_type: str,
    input_data: dict[str, Any],
    *,
    user_id: UUID | None,
    idempotency_key: str | None,
    retry_of: UUID | None,
    deadline_s: float | None,
) -> Job | None:
    """Insert a queued job; return None if the user has a job with the same key.

    Raises:
        InvalidInput: the user has no profile.
    """
    try:
        inserted = select_jobs(
            connection,
            "new_jobs.insert",
            user_id=user_id,
            job_type=job_type,
            input=Jsonb(input_data),
            idempotency_key=idempotency_key,
            retry_of=retry_of,
            traceparent=current_traceparent(),
            deadline_s=deadline_s,
        )
    except ForeignKeyViolation:
        raise InvalidInput(f"user {user_id}: no such profile") from None
    return inserted[0] if inserted else None
