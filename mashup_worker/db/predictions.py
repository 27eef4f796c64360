"""Jobs that clients of Replicate's API make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.db.jobs import select_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.database import Connection
    from mashup_worker.db.jobs import Job


def page(
    connection: Connection,
    *,
    last: tuple[datetime, UUID] | None,
    created_after: datetime | None,
    created_before: datetime | None,
    limit: int,
) -> Sequence[Job]:
    """Return the newest predictions.

    Args:
        connection: connection with the rights of the reader.
        last: `created_at` and id of the last prediction of the page before.
        created_after: first moment of the period.
        created_before: first moment after it.
        limit: largest number of predictions.
    """
    last_at, last_id = last or (None, None)
    return select_jobs(
        connection,
        "predictions.page",
        last_at=last_at,
        last_id=last_id,
        created_after=created_after,
        created_before=created_before,
        limit=limit,
    )
