"""Listeners for changes of jobs: notifications of Postgres, and messages of workers in Redis.

They shorten the wait for the mirror's next poll, which finds every change that they miss.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

import psycopg
import redis

from mashup_worker.db.database import connection_options, reason_of
from mashup_worker.queue.status import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_PROBE_S = 3.0
_WAKE_S = 1.0
_PAUSE_S = 2.0
_RETRY_S = 300.0


class PostgresListener(threading.Thread):
    """Thread that calls back for every change of a job, and for resumed queues.

    It reconnects after outages.

    A transaction pooler delivers no notifications, which the thread detects by a notification to
    itself; it then retries every five minutes, unless it must `insist`.
    """

    def __init__(self, url: str, on_change: Callable[[], None], *, insist: bool = False) -> None:
        super().__init__(name="postgres-listener", daemon=True)
        self._url, self._on_change, self._insist = url, on_change, insist

    def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                with psycopg.connect(
                    self._url, autocommit=True, **connection_options()
                ) as connection:
                    connection.execute("LISTEN ai_jobs")
                    connection.execute("LISTEN mashup_queues")
                    if self._insist or self._arrives(connection):
                        self._on_change()  # for changes before LISTEN
                        self._listen(connection)
                    connection.execute("UNLISTEN *")  # the pooler keeps the connection
                logger.warning(
                    "LISTEN: notifications do not arrive (a transaction pooler?); the mirror finds "
                    "new jobs by polling"
                )
                time.sleep(_RETRY_S)
            except psycopg.Error as error:
                logger.warning("LISTEN: %s", reason_of(error))
                time.sleep(_PAUSE_S)

    def _listen(self, connection: psycopg.Connection[dict[str, object]]) -> NoReturn:
        while True:
            for _ in connection.notifies(timeout=_WAKE_S):
                self._on_change()
            # A query detects a dead peer, which an idle connection does not.
            connection.execute("SELECT 1")

    def _arrives(self, connection: psycopg.Connection[dict[str, object]]) -> bool:
        """Return whether a notification from another connection arrives."""
        token = f"probe {uuid4().hex}"
        with psycopg.connect(self._url, autocommit=True, **connection_options()) as other:
            other.execute("SELECT pg_notify('ai_jobs', %s)", [token])
        until_s = time.monotonic() + _PROBE_S
        while (left_s := until_s - time.monotonic()) > 0:
            for note in connection.notifies(timeout=left_s, stop_after=1):
                if note.payload == token:
                    return True
        return False


class RedisListener(threading.Thread):
    """Thread that calls back when a worker publishes that a job ended or was queued again."""

    def __init__(self, client: redis.Redis, on_change: Callable[[], None]) -> None:
        super().__init__(name="redis-listener", daemon=True)
        self._redis, self._on_change = client, on_change

    def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                    channel.subscribe(CHANNEL)
                    self._on_change()
                    while True:
                        message = channel.get_message(timeout=_WAKE_S)
                        if message and b'"status": "processing"' not in message["data"]:
                            self._on_change()
            except redis.RedisError as error:
                logger.warning("Redis: %s", error)
                time.sleep(_PAUSE_S)
            except (ValueError, AttributeError):  # the client was closed
                time.sleep(_PAUSE_S)
