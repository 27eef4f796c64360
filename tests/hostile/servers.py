"""Scripted servers on this machine, which count connections."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    Greeting = Callable[["Talk"], None]
    Answer = bytes | Callable[["Talk"], None]

_TIMEOUT_S = 120.0
"""Limit for a fetch that fails to stop."""


@dataclass(frozen=True)
class Talk:
    """Connection of a server, and an event that ends it after the test."""

    connection: socket.socket
    over: threading.Event

    def say(self, *parts: bytes) -> None:
        """Send bytes."""
        for part in parts:
            self.connection.sendall(part)

    def drip(self, part: bytes, every_s: float = 0.02) -> None:
        """Send the same bytes repeatedly until the client disconnects."""
        end_s = time.monotonic() + _TIMEOUT_S
        while not self.over.wait(every_s) and time.monotonic() < end_s:
            self.say(part)

    def flood(self, part: bytes) -> None:
        """Send the same bytes as fast as possible, longer than any test lasts."""
        end_s = time.monotonic() + _TIMEOUT_S
        while not self.over.is_set() and time.monotonic() < end_s:
            self.say(part)

    def listen(self) -> None:
        """Send nothing until the client disconnects."""
        self.connection.recv(1)

    def reset(self) -> None:
        """Reset the connection, as a crash does."""
        # Without a linger of 0 the kernel would close the connection properly.
        linger = b"\1\0\0\0\0\0\0\0"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


@dataclass
class Server:
    """Server with scripted answers.

    Attributes:
        listener: listening socket.
        answers: answers by path and query; `*` matches all others, and without it the connection is
            closed.
        context: TLS context; None for plain HTTP.
        greeting: called for each connection, in place of an answer.
        visits: number of connections, with or without a request.
        requests: heads of the requests.
    """

    listener: socket.socket
    answers: Mapping[str, Answer] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    greeting: Greeting | None = None
    visits: int = 0
    requests: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Port of the listener."""
        port: int = self.listener.getsockname()[1]
        return port

    def serve(self) -> None:
        """Answer until `stop`."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.visits += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Close all connections."""
        self._over.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_TIMEOUT_S)

    def _talk(self, plain: socket.socket) -> None:
        # A copy, since a TLS socket would take over the original, which `stop` needs.
        with suppress(OSError, ValueError), plain, plain.dup() as copy:
            copy.settimeout(_TIMEOUT_S)
            if self.greeting is not None:
                self.greeting(Talk(copy, self._over))
            elif self.context is None:
                self._answer(copy)
            else:
                with self.context.wrap_socket(copy, server_side=True) as secure:
                    self._answer(secure)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            block = connection.recv(65_536)
            if not block:
                return
            head += block
        self.requests.append(head.decode("latin-1"))
        answer = self.answers.get(head.split()[1].decode(), self.answers.get("*", b""))
        if callable(answer):
            answer(Talk(connection, self._over))
        else:
            connection.sendall(answer)


@contextmanager
def serving(
    answers: Mapping[str, Answer] | None = None,
    context: ssl.SSLContext | None = None,
    greeting: Greeting | None = None,
) -> Iterator[Server]:
    """Run a server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener, answers or {}, context, greeting)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(_TIMEOUT_S)
