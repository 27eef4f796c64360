"""Server process of the API."""

from __future__ import annotations

import asyncio
import gc
import socket
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from mashup_worker.api.app import create_app
from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from mashup_worker.api.context import ApiContext
    from mashup_worker.monitoring.api_metrics import ApiMetrics

_STOP_GRACE_S = 10
_BACKLOG = 2_048
_HEADERS_S = 15.0
"""Longest time until the headers of a request are complete, from the start of the connection or the
end of the request before."""


def serve(
    context: ApiContext,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    certificate: Path | None = None,
    key: Path | None = None,
    metrics: ApiMetrics | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests then have ten seconds to end.

    `on_ready` receives the address once the server accepts connections; `certificate` and `key` are
    PEM files for TLS; `metrics` count the requests.

    Raises:
        ServiceUnavailable: the address is in use, or not of this machine.
    """
    proxies = context.settings.api.trusted_proxies
    config = uvicorn.Config(
        create_app(context, metrics),
        http=_Connection,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=_STOP_GRACE_S,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    _collect_rarely()
    listener = _listen(host, port)
    try:
        address = (
            f"{'https' if certificate else 'http'}://{_shown(host)}:{listener.getsockname()[1]}"
        )
        _Server(config, lambda: on_ready(address), context.events.end).run([listener])
    finally:
        listener.close()


def _collect_rarely() -> None:
    """Keep collections short and rare, since all requests wait for each.

    What exists now stays, and few objects of a request form cycles. Of 500 reads a second, 1 %
    waited 177 ms before and 41 ms since (`benchmarks/api_load.py`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class _Connection(H11Protocol):
    """Connection that is closed if a client sends headers too slowly.

    The parser of h11 refuses headers above 16 KiB; other parsers of uvicorn have no limit.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._await_headers()

    def _await_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(_HEADERS_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.close()


class _Server(uvicorn.Server):
    """Server that reports when it accepts connections, and when it stops."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_ready, self._on_stop = on_ready, on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()  # the server waits for open streams before it ends the application
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop after open requests, or at once after a second signal; both count as success."""
        # The method of the class would raise the signal again at the end.
        self.force_exit = self.should_exit
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that accepts connections.

    Raises:
        ServiceUnavailable: the address is in use, or not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ServiceUnavailable(f"{_shown(host)}:{port}: {error.strerror or error}") from error
    listener.set_inheritable(False)
    # For all connections. An answer is written in two parts, of which the second would wait for the
    # client's delayed ACK; asyncio disables that only for sockets with a protocol number.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
