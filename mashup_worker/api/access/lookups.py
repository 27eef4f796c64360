"""Lookups of tokens and sessions in Postgres, and their cache."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_CACHE_S = 10.0
"""Longest time until the revocation of a token, or the end of a session in another process, takes
effect."""

_CACHED = 1_000
_LOOKUP_S = 10.0
"""Longest wait for a row: few threads read them, and Postgres may hang."""

Found = TypeVar("Found")


class SecretCache(Generic[Found]):
    """Values that were found for valid secrets."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Found]] = {}

    def get(self, secret: str) -> Found | None:
        """Return the value for a secret; None if it must be looked up."""
        until_s, value = self._known.get(secret, (0.0, None))
        return value if time.monotonic() < until_s else None

    def put(self, secret: str, value: Found, expires_at: datetime | None) -> None:
        """Store the value for a secret for some seconds, but not past the secret's end."""
        if len(self._known) >= _CACHED:
            self._known.clear()
        left_s = _CACHE_S
        if expires_at is not None:
            left_s = min(left_s, (expires_at - datetime.now(UTC)).total_seconds())
        self._known[secret] = (time.monotonic() + left_s, value)

    def forget(self, secret: str) -> None:
        """Remove the value for a secret."""
        self._known.pop(secret, None)


async def look_up(read: Callable[[str], Found | None], secret: str) -> Found | None:
    """Return what a function reads from Postgres in a thread.

    Raises:
        ServiceUnavailable: it takes too long.
    """
    try:
        async with asyncio.timeout(_LOOKUP_S):
            return await asyncio.to_thread(read, secret)
    except TimeoutError:
        raise ServiceUnavailable("Postgres: the caller was not read in time") from None
