"""Saved mashups, their results, and the creators of their stems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.named_sql import select
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.database import Connection


@dataclass(frozen=True, kw_only=True)
class Mashup:
    """Mashup of a user."""

    id: UUID
    user_id: UUID | None
    title: str | None
    is_public: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class MashupResult:
    """Latest result of a mashup: its job, and `audio` of the job's output."""

    mashup_id: UUID
    job_id: UUID
    audio: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Creator:
    """Creator of a number of stems in a mashup; `user_id` is None for stems of no user."""

    user_id: UUID | None
    stems: int


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Mashup of a job; `created` means that this request saved it."""

    mashup_id: UUID
    created: bool


def newest(
    connection: Connection,
    *,
    user: UUID | None = None,
    public: bool = False,
    after: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[Mashup]:
    """Return mashups that the caller may see, newest first, after the one of a time and an id.

    They are a user's if `user`, and public if `public`.
    """
    after_time, after_id = after or (None, None)
    rows = select(
        connection,
        "mashups.newest",
        user=user,
        public=public,
        after_time=after_time,
        after_id=after_id,
        limit=limit,
    )
    return [Mashup(**row) for row in rows]


def find(connection: Connection, mashup_id: UUID) -> Mashup:
    """Return a mashup.

    Raises:
        NotFound: the caller may see no mashup with the id.
    """
    rows = select(connection, "mashups.find", id=mashup_id)
    if not rows:
        raise NotFound(f"mashup {mashup_id}: not found")
    return Mashup(**rows[0])


def save(connection: Connection, job_id: UUID, *, title: str, is_public: bool) -> Saved | None:
    """Save the result of a job as a mashup, and credit its stems.

    Returns:
        The mashup, an earlier one if the job was saved before; None if the job is no finished
        mashup job that the caller may save.
    """
    rows = select(connection, "mashups.save", job=job_id, title=title, is_public=is_public)
    return Saved(**rows[0]) if rows else None


def results(connection: Connection, mashup_ids: Sequence[UUID]) -> dict[UUID, MashupResult]:
    """Return the results, by mashup, of mashups that the caller was found to see.

    Call it with the role of the API.
    """
    rows = select(connection, "mashups.results", ids=list(mashup_ids))
    return {row["mashup_id"]: MashupResult(**row) for row in rows}


def creators(connection: Connection, mashup_id: UUID) -> list[Creator]:
    """Return the creators of a mashup's stems, for a mashup that the caller was found to see.

    Call it with the role of the API.
    """
    return [Creator(**row) for row in select(connection, "mashups.creators", id=mashup_id)]
