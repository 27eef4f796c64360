"""Hints that something changed: notifications of Postgres, and what workers publish in Redis.

A hint only saves waiting. Whatever is missed is found by the next sweep.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING
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
_AGAIN_S = 300.0


class PostgresHints(threading.Thread):
    """Calls back for every notification on `ai_jobs`, and mends its connection.

    Args:
        url: a session or direct connection. Through a transaction pooler nothing arrives, which is
            found out by a notification to itself; then it tries again only now and then.
        on_hint: called from this thread.
        insist: keep trying even where nothing arrives.
    """

    def __init__(self, url: str, on_hint: Callable[[], None], *, insist: bool = False) -> None:
        super().__init__(name="postgres-hints", daemon=True)
        self._url, self._on_hint, self._insist = url, on_hint, insist
        self._stopped = threading.Event()
        self.works: bool | None = None
        """Whether notifications arrive; None until that is known."""

    def run(self) -> None:
        """Listen until stopped."""
        while not self._stopped.is_set():
            try:
                with psycopg.connect(
                    self._url, autocommit=True, **connection_options()
                ) as connection:
                    connection.execute("LISTEN ai_jobs")
                    self.works = self._arrives(connection)
                    if not self.works and not self._insist:
                        connection.execute("UNLISTEN *")  # the pooler keeps the connection
                        logger.warning(
                            "notifications don't arrive (a transaction pooler?): new jobs are "
                            "found by sweeps alone"
                        )
                        self._stopped.wait(_AGAIN_S)
                        continue
                    self._on_hint()  # what happened while nobody listened
                    self._listen(connection)
            except psycopg.Error as error:
                logger.warning("listening: %s", reason_of(error))
                self._stopped.wait(_PAUSE_S)

    def stop(self) -> None:
        """End within a second."""
        self._stopped.set()

    def _listen(self, connection: psycopg.Connection[dict[str, object]]) -> None:
        while not self._stopped.is_set():
            for _ in connection.notifies(timeout=_WAKE_S):
                self._on_hint()
            # Nothing is read while nothing is sent: a dead peer is noticed by asking.
            connection.execute("SELECT 1")

    def _arrives(self, connection: psycopg.Connection[dict[str, object]]) -> bool:
        """Whether a notification from another connection comes in."""
        token = f"probe {uuid4().hex}"
        with psycopg.connect(self._url, autocommit=True, **connection_options()) as other:
            other.execute("SELECT pg_notify('ai_jobs', %s)", [token])
        until = time.monotonic() + _PROBE_S
        while (left := until - time.monotonic()) > 0 and not self._stopped.is_set():
            for note in connection.notifies(timeout=min(left, _WAKE_S), stop_after=1):
                if note.payload == token:
                    return True
        return False


class RedisHints(threading.Thread):
    """Calls back when a worker tells that a job ended or went back into the queue."""

    def __init__(self, client: redis.Redis, on_hint: Callable[[], None]) -> None:
        super().__init__(name="redis-hints", daemon=True)
        self._redis, self._on_hint = client, on_hint
        self._stopped = threading.Event()

    def run(self) -> None:
        """Listen until stopped."""
        while not self._stopped.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                    channel.subscribe(CHANNEL)
                    self._on_hint()
                    while not self._stopped.is_set():
                        message = channel.get_message(timeout=_WAKE_S)
                        if message and b'"status": "processing"' not in message["data"]:
                            self._on_hint()
            except redis.RedisError as error:
                logger.warning("listening to Redis: %s", error)
                self._stopped.wait(_PAUSE_S)
            except (ValueError, AttributeError):  # the client was closed under it
                with suppress(Exception):
                    self._stopped.wait(_PAUSE_S)

    def stop(self) -> None:
        """End within a second or so."""
        self._stopped.set()
