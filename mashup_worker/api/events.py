"""Changes of jobs for all open streams, from one subscription to Redis."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
import redis
from anyio import create_task_group
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from mashup_worker.db.database import reason_of
from mashup_worker.errors import ServiceUnavailable
from mashup_worker.queue.status import CHANNEL, StatusView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Set
    from uuid import UUID

    from mashup_worker.db.reads import Reads
    from mashup_worker.settings import ServiceSettings

logger = logging.getLogger(__name__)

_AS_SERVICE = {"role": "service_role"}
_TIMEOUT_S = 5.0
_RECONNECT_S = 1.0
_POLL_S = 10.0
"""Interval of polls of Postgres, which find changes whose message was lost."""

_POLL_WITHOUT_REDIS_S = 2.0
_BATCH_S = 0.05
"""Time in which streams that start are combined into one poll."""


class StreamEnded(Exception):
    """The job was removed, or the process stops."""


class Follower:
    """Receiver of the states of one job, which keeps only the newest."""

    def __init__(self, state: StatusView) -> None:
        self._state, self._is_new, self._is_ended = state, False, False
        self._changed = asyncio.Event()

    def offer(self, state: StatusView) -> None:
        """Take a state, unless it is older than the last one or equal to it."""
        older = state.order < self._state.order
        if not older and state.published() != self._state.published():
            self._state, self._is_new = state, True
            self._changed.set()

    def end(self) -> None:
        """End the stream after the state that was taken last."""
        self._is_ended = True
        self._changed.set()

    async def next(self, timeout_s: float) -> StatusView | None:
        """Return the next state, or None after `timeout_s` seconds without any.

        Raises:
            StreamEnded: no state will follow.
        """
        if not self._is_new and not self._is_ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
        self._changed.clear()
        if self._is_new:
            self._is_new = False
            return self._state
        if self._is_ended:
            raise StreamEnded
        return None


class JobEvents:
    """Distributes changes of jobs to the followers in this process.

    Messages of Redis are passed on at once. Without Redis, and for messages that were lost, one
    query for all followed jobs polls Postgres.
    """

    def __init__(self, reads: Reads, settings: ServiceSettings) -> None:
        assert settings.connections.redis_url is not None  # noqa: S101 - checked by `open_redis`
        self._reads = reads
        self._redis = Redis.from_url(
            settings.connections.redis_url.get_secret_value(),
            socket_connect_timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            health_check_interval=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # a silent reconnection would lose messages
        )
        self._followers: dict[UUID, set[Follower]] = {}
        self._to_poll: set[UUID] = set()
        self._poll_now = asyncio.Event()
        self._is_subscribed = False
        self._is_ended = False

    @contextmanager
    def follow(self, state: StatusView) -> Iterator[Follower]:
        """Yield a follower of a job from a state that was read before."""
        follower = Follower(state)
        followers = self._followers.setdefault(state.id, set())
        followers.add(follower)
        self._poll([state.id])  # for changes since the state was read
        if self._is_ended:
            follower.end()
        try:
            yield follower
        finally:
            followers.discard(follower)
            if not followers and self._followers.get(state.id) is followers:
                del self._followers[state.id]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Distribute changes until the end of the context."""
        # A task group cancels until its tasks end: redis-py loses cancellations while it connects.
        async with self._redis, create_task_group() as tasks:
            tasks.start_soon(self._subscribe)
            tasks.start_soon(self._poll_always)
            try:
                yield
            finally:
                self.end()
                tasks.cancel_scope.cancel()

    def end(self) -> None:
        """End all streams, and each later one after its first state. Clients reconnect."""
        self._is_ended = True
        for followers in self._followers.values():
            for follower in followers:
                follower.end()

    async def _subscribe(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(CHANNEL)
                    self._is_subscribed = True
                    self._poll(self._followers)  # for changes before the subscription
                    while True:
                        message = await channel.get_message(timeout=_TIMEOUT_S)
                        if message is not None:
                            self._pass_on(StatusView.from_published(message["data"]))
            except (redis.RedisError, OSError) as error:
                if self._is_subscribed:
                    logger.warning("Redis: %s; streams poll Postgres", reason_of(error))
            except Exception:
                logger.exception("a message of Redis was not read")
            self._is_subscribed = False
            self._poll(self._followers)
            await asyncio.sleep(_RECONNECT_S)

    def _poll(self, ids: Iterable[UUID]) -> None:
        self._to_poll.update(ids)
        self._poll_now.set()

    async def _poll_always(self) -> None:
        clock = asyncio.get_running_loop().time
        polled_s = clock()
        while True:
            pause_s = _POLL_S if self._is_subscribed else _POLL_WITHOUT_REDIS_S
            with suppress(TimeoutError):
                async with asyncio.timeout_at(polled_s + pause_s):
                    await self._poll_now.wait()
            await asyncio.sleep(_BATCH_S)
            self._poll_now.clear()
            asked, self._to_poll = self._to_poll, set()
            if clock() >= polled_s + pause_s:
                polled_s, asked = clock(), set(self._followers)
            try:
                await self._poll_once(asked & self._followers.keys())
            except (ServiceUnavailable, psycopg.Error) as error:
                logger.warning("streams: %s", reason_of(error))
                self._to_poll |= asked
            except Exception:
                logger.exception("states of jobs were not read")

    async def _poll_once(self, ids: Set[UUID]) -> None:
        if not ids:
            return
        # For all users at once: the rights of each were checked when the stream started.
        rows = await self._reads.select("service_role", _AS_SERVICE, "jobs.states", ids=list(ids))
        states = [StatusView.from_row(row) for row in rows]
        for state in states:
            self._pass_on(state)
        for removed in ids - {state.id for state in states}:
            for follower in self._followers.get(removed, ()):
                follower.end()

    def _pass_on(self, state: StatusView) -> None:
        for follower in self._followers.get(state.id, ()):
            follower.offer(state)
