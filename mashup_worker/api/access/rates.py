"""Limits of requests a minute, counted in Redis for all processes of the API."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import redis
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from mashup_worker.db.database import reason_of
from mashup_worker.errors import RateLimited

if TYPE_CHECKING:
    from mashup_worker.settings import ServiceSettings

logger = logging.getLogger(__name__)

_TIMEOUT_S = 0.25
_PAUSE_S = 5.0

_MAX_IDENTITIES = 10_000
"""Identities of which a process keeps requests that are not in Redis yet."""

_PREFIX = "mashup_api"
"""First part of the keys in Redis, which expire after two minutes."""


@dataclass
class _Uncounted:
    """Requests of an identity that are not in Redis yet.

    Attributes:
        lock: held while Redis is asked, or parallel requests would pass meanwhile.
    """

    requests: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimits:
    """Limit of requests a minute for each identity.

    Each process counts in blocks of a sixtieth of the limit, so that few requests wait for Redis;
    it may exceed the limit by less than a block. Without Redis every request is allowed. During an
    outage, one request in five seconds waits for Redis, for at most a quarter of a second.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        assert settings.connections.redis_url is not None  # noqa: S101 - checked by `open_redis`
        url = settings.connections.redis_url.get_secret_value()
        self._pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        storage = RedisStorage(
            f"async+{url.replace('unix:', 'redis+unix:', 1)}",
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=self._pool,  # type: ignore[arg-type]
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._limit = RateLimitItemPerMinute(settings.api.requests_per_minute)
        self._uncounted: dict[tuple[str, int], _Uncounted] = {}
        self._retry_at_s: float | None = None

    async def count(self, identity: str, per_minute: int | None = None) -> None:
        """Count a request, by default towards the limit of all requests.

        Raises:
            RateLimited: the identity has reached its limit.
        """
        limit = self._limit if per_minute is None else RateLimitItemPerMinute(per_minute)
        if len(self._uncounted) >= _MAX_IDENTITIES:
            self._uncounted.clear()
        uncounted = self._uncounted.setdefault((identity, limit.amount), _Uncounted())
        async with uncounted.lock:
            uncounted.requests += 1
            if uncounted.requests < limit.amount // 60:
                return
            wait_s = await self._count_in_redis(limit, identity, uncounted.requests)
            if wait_s is not None:
                uncounted.requests -= 1  # those that were served are counted with the next one
                raise RateLimited(
                    f"too many requests: the limit is {limit.amount} per minute",
                    retry_after_s=max(1, math.ceil(wait_s)),
                )
            uncounted.requests = 0

    async def _count_in_redis(
        self, limit: RateLimitItem, identity: str, requests: int
    ) -> float | None:
        """Count requests; return the time until more are allowed, or None if these are."""
        now_s = time.monotonic()
        if self._retry_at_s is not None:
            if now_s < self._retry_at_s:
                return None
            self._retry_at_s = now_s + _PAUSE_S  # other requests pass while this one tries
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                allowed = await self._limiter.hit(limit, identity, cost=requests)
                wait_s = None if allowed else await self._wait_s(limit, identity)
        except (redis.RedisError, OSError) as error:
            if self._retry_at_s is None:
                logger.warning("Redis: %s; requests are not counted", reason_of(error))
            self._retry_at_s = time.monotonic() + _PAUSE_S
            return None
        self._retry_at_s = None
        return wait_s

    async def _wait_s(self, limit: RateLimitItem, identity: str) -> float:
        reset_s, _ = await self._limiter.get_window_stats(limit, identity)
        return reset_s - time.time()

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
