"""Rows of completed jobs in the backend's tables, by SQL functions that operators may replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.named_sql import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection

_PUBLISHERS = {"separate": "publish_stems", "mashup": "publish_mashup"}


@dataclass(frozen=True, kw_only=True)
class RegisteredStem:
    """Stem of the registry that a job may read.

    Attributes:
        key: object key.
        kind: vocals, drums, ...
        song: identifier of the song that the stem belongs to.
        analysis: analysis of that song by a `separate` job; None if unknown.
    """

    key: str
    kind: str
    song: str
    analysis: dict[str, Any] | None


def publish(connection: Connection, job_type: str, job_id: UUID) -> None:
    """Write the backend's rows for a job, in the transaction that completes it."""
    publisher = _PUBLISHERS.get(job_type)
    if publisher is not None:
        connection.execute(statements("publishing")[publisher], {"job": job_id})


def owns_mashup(connection: Connection, mashup_id: UUID, user_id: UUID | None) -> bool:
    """Return whether a user's job may write to a mashup."""
    return bool(_rows(connection, "owns_mashup", mashup=mashup_id, user=user_id)[0]["owns"])


def readable_stem(
    connection: Connection, stem_id: UUID, user_id: UUID | None
) -> RegisteredStem | None:
    """Return a stem of the registry; None if it does not exist or the user must not read it."""
    rows = _rows(connection, "readable_stem", stem=stem_id, user=user_id)
    if not rows:
        return None
    row = rows[0]
    return RegisteredStem(
        key=row["storage_key"], kind=row["kind"], song=row["song"], analysis=row["analysis"]
    )


def referenced_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return the keys that rows reference, or may reference soon."""
    return {row["key"] for row in _rows(connection, "referenced_keys", keys=list(keys))}


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return connection.execute(statements("publishing")[query], parameters).fetchall()
