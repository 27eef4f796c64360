"""Connections to Redis or Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mashup_worker.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from mashup_worker.settings import ServiceSettings

_TIMEOUT_S = 1.0


def connect(url: str, *, timeout_s: float = 5.0) -> redis.Redis:
    """Return a client that connects at its first command.

    The URL is `redis://…`, `rediss://…` or `unix://…`. `timeout_s` is the longest connection
    attempt, and longest answer. Blocking commands need more.

    Raises:
        InvalidInput: the URL has another form.
    """
    try:
        client: redis.Redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_keepalive=True,
            health_check_interval=15,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as error:
        raise InvalidInput(f"REDIS_URL: {error}") from error
    return client


def location(url: str) -> str:
    """Return host, port and database of a URL without its password, for messages."""
    _, _, rest = url.rpartition("@") if "@" in url else url.rpartition("//")
    return rest.partition("?")[0]


def open_redis(settings: ServiceSettings, *, timeout_s: float = _TIMEOUT_S) -> redis.Redis:
    """Return a client of the Redis of the settings, without connecting.

    The default timeout is short, because heartbeats wait for Redis.

    Raises:
        InvalidInput: REDIS_URL is missing or invalid.
    """
    if settings.connections.redis_url is None:
        raise InvalidInput("REDIS_URL: not set; give redis://…")
    return connect(settings.connections.redis_url.get_secret_value(), timeout_s=timeout_s)


def check_redis(client: redis.Redis, settings: ServiceSettings) -> None:
    """Check that Redis answers.

    Raises:
        ServiceUnavailable: it does not.
    """
    try:
        client.ping()
    except redis.RedisError as error:
        raise redis_unavailable(settings, error) from error


def redis_unavailable(settings: ServiceSettings, error: redis.RedisError) -> ServiceUnavailable:
    """Return the error for a Redis that fails, without its password."""
    url = settings.connections.redis_url
    return ServiceUnavailable(
        f"Redis at {location(url.get_secret_value()) if url else ''}: {error}"
    )
