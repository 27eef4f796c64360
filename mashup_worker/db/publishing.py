"""Rows of completed jobs in the backend's tables, by SQL functions that operators may replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.named_sql import select

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection

_PUBLISHERS = {"separate": "publishing.publish_stems", "mashup": "publishing.publish_mashup"}


@dataclass(frozen=True, kw_only=True)
class RegisteredStem:
    """Stem of the registry that a job may read; see `FetchedStem`."""

    key: str
    kind: str
    song: str
    analysis: dict[str, Any] | None


def publish(connection: Connection, job_type: str, job_id: UUID) -> None:
    """Write the backend's rows for a job, in the transaction that completes it."""
    publisher = _PUBLISHERS.get(job_type)
    if publisher is not None:
        select(connection, publisher, job=job_id)


def owns_mashup(connection: Connection, mashup_id: UUID, user_id: UUID | None) -> bool:
    """Return whether a user's job may write to a mashup."""
    rows = select(connection, "publishing.owns_mashup", mashup=mashup_id, user=user_id)
    return bool(rows[0]["owns"])


def readable_stem(
    connection: Connection, stem_id: UUID, user_id: UUID | None
) -> RegisteredStem | None:
    """Return a stem of the registry; None if it does not exist or the user must not read it."""
    rows = select(connection, "publishing.readable_stem", stem=stem_id, user=user_id)
    if not rows:
        return None
    row = rows[0]
    return RegisteredStem(
        key=row["storage_key"], kind=row["kind"], song=row["song"], analysis=row["analysis"]
    )


def model_of_stem(connection: Connection, stem_id: UUID) -> dict[str, str] | None:
    """Return name, license and license class of the model of a stem; None if unknown."""
    rows = select(connection, "publishing.model_of_stem", stem=stem_id)
    return rows[0] if rows else None


def referenced_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return the keys that rows reference, or may reference soon."""
    return {row["key"] for row in select(connection, "publishing.referenced_keys", keys=list(keys))}
