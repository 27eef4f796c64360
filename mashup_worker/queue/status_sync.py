"""Copy of all job statuses from Postgres to Redis."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs
from mashup_worker.queue.status import StatusView, write_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from mashup_worker.db.database import Connection, Database

_SENTINEL = "ai_jobs:mirrored"
"""Key with the time of the last sync. It disappears when Redis is flushed or starts empty."""

_PAGE = 500
_FIRST_ID = "00000000-0000-0000-0000-000000000000"
_HISTORY = timedelta(days=1)
_OVERLAP, _POLL_OVERLAP = timedelta(seconds=2), timedelta(seconds=60)
"""`updated_at` is older than the commit of its transaction. So each sync starts a little before the
last one ended, and once per poll further back."""

_FULL_SYNC_S = 600.0


class StatusSync:
    """Copies changes since the last sync, and everything after a flush and every ten minutes.

    Once in `poll_s`, a sync looks further back.
    """

    def __init__(self, database: Database, redis: redis.Redis, poll_s: float) -> None:
        self._database, self._redis, self._poll_s = database, redis, poll_s
        self._synced: datetime | None = None
        self._polled_s = 0.0
        self._next_full_s = 0.0

    def run(self) -> None:
        """Copy the changed statuses.

        Raises:
            ServiceUnavailable, psycopg.OperationalError: Postgres is unreachable.
            redis.RedisError: Redis is unreachable.
        """
        now_s = time.monotonic()
        sentinel = self._redis.get(_SENTINEL)
        # A Redis that was restored from an old snapshot has an old sentinel.
        kept = datetime.fromisoformat(sentinel.decode()) if isinstance(sentinel, bytes) else None
        with self._database.transaction() as connection:
            now: datetime = jobs.select(connection, "clock")[0]["now"]
            if kept is None or self._synced is None or now_s > self._next_full_s:
                for page in _pages(connection, "still_open"):
                    self._write(page)
                since = now - _HISTORY
                self._next_full_s = now_s + _FULL_SYNC_S
            else:
                since = min(self._synced, kept) - self._overlap(now_s)
            for page in _pages(connection, "changed_since", since):
                self._write(page)
        # Fails if Redis was flushed meanwhile; the next sync then copies everything.
        written = self._redis.set(_SENTINEL, now.isoformat(), xx=kept is not None)
        self._synced = now if written else None

    def _overlap(self, now_s: float) -> timedelta:
        if now_s < self._polled_s + self._poll_s:
            return _OVERLAP
        self._polled_s = now_s
        return _POLL_OVERLAP

    def _write(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            write_status(self._redis, StatusView.from_row(row))


def _pages(
    connection: Connection, query: str, since: datetime | None = None
) -> Iterator[list[dict[str, Any]]]:
    after: object = _FIRST_ID
    while rows := jobs.select(connection, query, since=since, after=after, limit=_PAGE):
        yield rows
        since, after = rows[-1]["updated_at"], rows[-1]["id"]
