"""Connections to Redis or Valkey."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mashup_worker.errors import InvalidInput


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
