"""Bodies of requests, block by block, with limits of size and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from mashup_worker.errors import InvalidInput, TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request

_STALL_S = 30.0
"""Longest time in which a client sends no byte."""

_LONGEST_S = 900.0


async def blocks_of(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body of a request as it arrives.

    Raises:
        TooLarge: the body is longer than `max_bytes`, by its header or in fact.
        InvalidInput: the client sent nothing for 30 s, was not done after 15 min, or vanished.
    """
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    received = 0
    stream = request.stream()
    try:
        async with asyncio.timeout(_LONGEST_S):
            while True:
                async with asyncio.timeout(_STALL_S):
                    block = await anext(stream, None)
                if block is None:
                    return
                received += len(block)
                if received > max_bytes:
                    raise _too_large(max_bytes)
                yield block
    except TimeoutError:
        raise InvalidInput("request: its body came too slowly") from None
    except ClientDisconnect:
        raise InvalidInput("request: its body ended early") from None


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"request: larger than the limit of {max_bytes} bytes")
