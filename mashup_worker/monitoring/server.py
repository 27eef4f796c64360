"""HTTP server of `/livez`, `/readyz` and `/metrics`, and the metrics of every process."""

from __future__ import annotations

import logging
import re
import socket
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from mashup_worker import __version__
from mashup_worker.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_ADDRESS = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[\w.-]*):([0-9]{1,5})$")
_REQUEST_TIMEOUT_S = 10.0


class HealthSource(Protocol):
    """Source of metrics and health. Problems are short phrases without secrets."""

    @property
    def registry(self) -> CollectorRegistry:
        """Metrics."""

    def not_alive(self) -> str | None:
        """Return the reason to restart the process; None if it is alive."""

    def not_ready(self) -> str | None:
        """Return the reason why the process cannot work now; None if it can."""


def process_registry() -> CollectorRegistry:
    """Return a new registry with the metrics of this process."""
    # Otherwise each counter gets a second series with its creation time.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge("mashup_build_info", "Running version.", ["version"], registry=registry)
    build.labels(__version__).set(1)
    return registry


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `:PORT` or `[IPv6]:PORT`; port 0 means any free port.

    Raises:
        InvalidInput: the address has another form.
    """
    match = _ADDRESS.match(address)
    if match is None or int(match[2]) > 65_535:
        raise InvalidInput(f"metrics address {address!r}: not of the form HOST:PORT")
    return match[1].strip("[]") or "0.0.0.0", int(match[2])  # noqa: S104 - as requested


@contextmanager
def serve_metrics(address: str | None, source: HealthSource) -> Iterator[None]:
    """Serve requests while the block runs; without an address, serve none.

    Raises:
        InvalidInput: the address is invalid.
        ServiceUnavailable: the address cannot be bound.
    """
    if address is None:
        yield
        return
    host, port = parse_address(address)
    try:
        server = _Server((host, port), source)
    except OSError as error:
        reason = error.strerror or error
        raise ServiceUnavailable(f"metrics on {address}: {reason}; use another port") from error
    bound_host, bound_port = server.server_address[:2]
    logger.info("metrics on http://%s:%s/metrics", _in_url(str(bound_host)), bound_port)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], source: HealthSource) -> None:
        self.source = source
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors of clients that disconnect."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT_S
    server: _Server
    server_version = "mashup-worker"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a request."""
        source = self.server.source
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, media_type = choose_encoder(self.headers.get("Accept") or "")
            self._answer(HTTPStatus.OK, encode(source.registry), media_type)
        elif path == "/livez":
            self._answer_state("alive", source.not_alive())
        elif path == "/readyz":
            self._answer_state("ready", source.not_ready())
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"not found; use /livez, /readyz or /metrics\n")

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        """Write no log, since probes arrive every few seconds."""

    def _answer_state(self, state: str, problem: str | None) -> None:
        status = HTTPStatus.OK if problem is None else HTTPStatus.SERVICE_UNAVAILABLE
        text = state if problem is None else f"not {state}: {problem}"
        self._answer(status, f"{text}\n".encode())

    def _answer(
        self, status: HTTPStatus, body: bytes, media_type: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
