"""Rows to take down: a song with everything derived from it, or everything of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection


def jobs_of_song(connection: Connection, sha256: str) -> list[jobs.Job]:
    """Return jobs that read a file with this digest, jobs that read their results, and so on."""
    return jobs.from_rows(_rows(connection, "jobs_of_song", sha256=sha256))


def jobs_of_user(connection: Connection, user_id: UUID) -> list[jobs.Job]:
    """Return all jobs of a user."""
    return jobs.from_rows(_rows(connection, "jobs_of_user", user=user_id))


def purge_jobs(connection: Connection, job_ids: Sequence[UUID]) -> list[UUID]:
    """Delete ended jobs and all of their rows.

    Returns:
        Ids of the mashups that lost stems.
    """
    return [row["id"] for row in _rows(connection, "purge_jobs", jobs=list(job_ids))]


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return connection.execute(statements("takedown")[query], parameters).fetchall()
