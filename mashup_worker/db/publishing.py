"""What a finished job writes beside its own row, through functions that operators may replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.named_sql import statements

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mashup_worker.db.database import Connection

_PUBLISHERS = {"separate": "publish_stems", "mashup": "publish_mashup"}


@dataclass(frozen=True)
class RegisteredStem:
    """A stem of the registry that a job may read.

    Attributes:
        key: its object.
        kind: vocals, drums, ...
        song: what tells its song from others.
        analysis: of that song, as `separate` told it, where it is known.
    """

    key: str
    kind: str
    song: str
    analysis: dict[str, Any] | None


def publish(connection: Connection, job_type: str, job_id: UUID) -> None:
    """Write the rows that a finished job promises, in the transaction that finishes it."""
    publisher = _PUBLISHERS.get(job_type)
    if publisher is not None:
        connection.execute(statements("publishing")[publisher], {"job": job_id})


def owns_mashup(connection: Connection, mashup_id: UUID, user_id: UUID | None) -> bool:
    """Whether a user's job may write to a mashup."""
    return bool(_one(connection, "owns_mashup", mashup=mashup_id, user=user_id)["owns"])


def readable_stem(
    connection: Connection, stem_id: UUID, user_id: UUID | None
) -> RegisteredStem | None:
    """A stem of the registry, where a user's job may read it."""
    rows = _all(connection, "readable_stem", stem=stem_id, user=user_id)
    if not rows:
        return None
    row = rows[0]
    return RegisteredStem(row["storage_key"], row["kind"], row["song"], row["analysis"])


def named_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Those of the keys that rows name, or may name soon."""
    return {row["key"] for row in _all(connection, "named_keys", keys=list(keys))}


def _one(connection: Connection, query: str, **parameters: Any) -> dict[str, Any]:
    return _all(connection, query, **parameters)[0]


def _all(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return connection.execute(statements("publishing")[query], parameters).fetchall()
