"""Answers `/livez`, `/readyz` and `/metrics` to whoever may reach its port."""

from __future__ import annotations

import logging
import re
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from prometheus_client.exposition import choose_encoder

from mashup_worker.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

logger = logging.getLogger(__name__)

_ADDRESS = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[\w.-]*):([0-9]{1,5})$")
_REQUEST_TIMEOUT_S = 10.0


class Watched(Protocol):
    """Something that can tell how it does. Each problem is a few words without secrets."""

    @property
    def registry(self) -> CollectorRegistry:
        """Its metrics."""
        ...

    def not_alive(self) -> str | None:
        """Why the process should be started anew; None where it should not."""
        ...

    def not_ready(self) -> str | None:
        """Why it can't do its work now; None where it can."""
        ...


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `[IPv6]:PORT`; port 0 means any that is free.

    Raises:
        InvalidInput: it is no address.
    """
    found = _ADDRESS.match(address)
    if found is None or int(found[2]) > 65_535:
        raise InvalidInput(f"{address!r}: not of the form HOST:PORT")
    return found[1].strip("[]") or "0.0.0.0", int(found[2])  # noqa: S104 - as asked


@contextmanager
def serving(address: str | None, watched: Watched) -> Iterator[None]:
    """Answer requests while a `with` block lasts; nothing where the address is None.

    Raises:
        InvalidInput: the address is none.
        ServiceUnavailable: it can't be listened on.
    """
    if address is None:
        yield
        return
    host, port = parse_address(address)
    try:
        server = _Server((host, port), watched)
    except OSError as error:
        reason = error.strerror or error
        raise ServiceUnavailable(f"can't serve metrics on {address}: {reason}") from error
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

    def __init__(self, place: tuple[str, int], watched: Watched) -> None:
        import socket

        self.watched = watched
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        super().__init__(place, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT_S
    server: _Server
    server_version = "mashup-worker"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one of three paths."""
        watched = self.server.watched
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, media_type = choose_encoder(self.headers.get("Accept") or "")
            self._answer(HTTPStatus.OK, encode(watched.registry), media_type)
        elif path == "/livez":
            self._tell("alive", watched.not_alive())
        elif path == "/readyz":
            self._tell("ready", watched.not_ready())
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"try /livez, /readyz or /metrics\n")

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        """Nothing: probes come every few seconds."""

    def _tell(self, what: str, problem: str | None) -> None:
        status = HTTPStatus.OK if problem is None else HTTPStatus.SERVICE_UNAVAILABLE
        text = what if problem is None else f"not {what}: {problem}"
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
