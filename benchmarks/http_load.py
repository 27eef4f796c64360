"""Client that sends HTTP requests at a fixed rate, and follows event streams.

It does little else, so that on the same machine most of the time is the server's.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

_IDLE_S = 3.0
"""Time after which a free connection is not used again."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Request with the token of a user."""

    method: str
    path: str
    token: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def encoded(self, host: str) -> bytes:
        """Return the bytes of the request."""
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {self.token}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


@dataclass
class Times:
    """Milliseconds from the moment at which each request was due until its answer was read.

    Attributes:
        refusals: number of wrong or missing answers by their text.
    """

    values_ms: list[float] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Number of wrong or missing answers."""
        return self.refusals.total()

    def percentile(self, percent: int) -> float:
        """Return a percentile."""
        return statistics.quantiles(self.values_ms, n=100, method="inclusive")[percent - 1]


class Server:
    """Server to which requests are sent, over connections that are kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._name = parts.netloc
        self._free: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, request: Request) -> Answer:
        """Send a request and return the answer.

        Raises:
            OSError, EOFError: the connection failed.
        """
        reader, writer = self._reused() or await self._connect()
        writer.write(request.encoded(self._name))
        status, headers = await _head(reader)
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
        self._free.append((time.monotonic(), reader, writer))
        return Answer(status, body)

    async def events(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a stream.

        Raises:
            EOFError: the stream was refused.
        """
        reader, writer = await self._connect()
        writer.write(request.encoded(self._name))
        status, _ = await _head(reader)
        if status != 200:
            raise EOFError(f"{request.path}: status {status}")
        try:
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            writer.close()

    async def at_rate(
        self,
        per_second: float,
        seconds: float,
        next_request: Callable[[int], Request],
        accept: Callable[[int, Answer], bool],
    ) -> Times:
        """Send requests at a fixed rate, whether or not earlier ones are answered.

        Args:
            per_second: rate.
            seconds: duration.
            next_request: returns the request with a number.
            accept: returns whether the answer to the request with a number is right.
        """
        times = Times()
        start_s = time.perf_counter() + 0.1

        async def one(number: int, due_s: float) -> None:
            try:
                answer = await self.send(next_request(number))
            except (OSError, EOFError) as error:
                times.refusals[type(error).__name__] += 1
                return
            times.values_ms.append(1_000 * (time.perf_counter() - due_s))
            if not accept(number, answer):
                times.refusals[f"{answer.status} {answer.body[:200].decode()}"] += 1

        async with asyncio.TaskGroup() as tasks:
            for number in range(round(per_second * seconds)):
                due_s = start_s + number / per_second
                pause_s = due_s - time.perf_counter()
                if pause_s > 0:
                    await asyncio.sleep(pause_s)
                tasks.create_task(one(number, due_s))
        return times

    async def close(self) -> None:
        """Close all connections."""
        for _, _, writer in self._free:
            writer.close()
        self._free.clear()

    def _reused(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Return a free connection that the server has not closed meanwhile."""
        while self._free:
            used_s, reader, writer = self._free.pop()
            if time.monotonic() - used_s < _IDLE_S:
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    pairs = (line.partition(b": ") for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}
