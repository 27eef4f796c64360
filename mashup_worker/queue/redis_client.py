"""Connections to Redis or Valkey."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mashup_worker.errors import InvalidInput

OUTAGES = (redis.ConnectionError, redis.TimeoutError)
"""What is raised while Redis can't be reached: waiting helps."""


def connect(url: str, *, timeout_s: float = 5.0) -> redis.Redis:
    """A client that connects when it is first used.

    Args:
        url: `redis://…`, `rediss://…` or `unix://…`.
        timeout_s: longest that connecting or one answer may take. Blocking commands need more.

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


def place(url: str) -> str:
    """Host and port of a URL, without its password, for messages."""
    _, _, rest = url.rpartition("@") if "@" in url else url.rpartition("//")
    return rest.partition("?")[0]
