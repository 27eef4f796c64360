"""Connections of the API's server."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState

from mashup_worker.api import serve

if TYPE_CHECKING:
    import pytest
    from starlette.types import Receive, Scope, Send


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def exchange(first: bytes, later: bytes = b"") -> tuple[bytes, float]:
    """Return what the server sent, and the seconds until it closed the connection."""
    config = uvicorn.Config(answer, lifespan="off", log_config=None)
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: serve._Connection(config, ServerState(), {}), "127.0.0.1"
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start_s = time.monotonic()
        writer.write(first)
        received = b""
        if later:
            received = await reader.readuntil(b"\r\n\r\n")
            writer.write(later)
        received += await asyncio.wait_for(reader.read(), 30)
        duration_s = time.monotonic() - start_s
        writer.close()
    return received, duration_s


REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_slow_headers_end_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_HEADERS_S", 0.2)
    for part in (b"", REQUEST[:-2]):
        received, duration_s = asyncio.run(exchange(part))
        assert received == b""
        assert duration_s >= 0.2


def test_an_answer_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_HEADERS_S", 0.1)
    received, duration_s = asyncio.run(exchange(REQUEST))
    assert received.startswith(b"HTTP/1.1 204")
    assert duration_s < 4  # before uvicorn closes idle connections


def test_the_headers_of_a_second_request_may_be_slow_neither(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "_HEADERS_S", 0.2)
    received, _ = asyncio.run(exchange(REQUEST, REQUEST[:-2]))
    assert received.count(b"HTTP/1.1") == 1


def test_the_parts_of_an_answer_do_not_wait_for_each_other() -> None:
    with (
        serve._listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
