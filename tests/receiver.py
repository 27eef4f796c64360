"""Receiver of webhooks on this machine, over HTTP or TLS."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from standardwebhooks.webhooks import Webhook

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Received:
    """Request that arrived, with lower-case names of headers."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Id of the webhook."""
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        """Document of the body."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    def verify(self, secret: str) -> None:
        """Check the signature with the reference implementation.

        Raises:
            WebhookVerificationError: the signature is not made with the secret.
        """
        Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Receiver that answers 204, or as `answer` decides.

    Attributes:
        answer: called with each request; returns the status, and may block.
        received: all requests, in the order of arrival.
        most_at_once: greatest number of requests that were open at the same time.
    """

    url: str = ""
    answer: Callable[[Received], int] = lambda _: 204
    received: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    _open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Received) -> int:
        """Record a request and return the status of its answer."""
        with self._lock:
            self.received.append(request)
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            return self.answer(request)
        finally:
            with self._lock:
                self._open -= 1

    def ids(self) -> list[str]:
        """Return the ids of all requests."""
        return [one.id for one in self.received]


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.handle(Received(self.path, headers, body)))
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore senders that were killed."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        receiver.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
