"""Servers on this machine that answer as strangers might, and count who comes."""

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

_PATIENCE_S = 10.0
"""A fetch that goes on after it ends wrongly, and does not hang."""


@dataclass(frozen=True)
class Talk:
    """One connection to a server, and how to know that the test is over."""

    connection: socket.socket
    over: threading.Event

    def say(self, *parts: bytes) -> None:
        """Send something, all of it."""
        for part in parts:
            self.connection.sendall(part)

    def drip(self, part: bytes, every_s: float = 0.02) -> None:
        """Send the same now and then until nobody listens any more."""
        end_s = time.monotonic() + _PATIENCE_S
        while not self.over.wait(every_s) and time.monotonic() < end_s:
            self.say(part)

    def flood(self, part: bytes) -> None:
        """Send the same as fast as it is taken, for longer than any test may last."""
        end_s = time.monotonic() + _PATIENCE_S
        while not self.over.is_set() and time.monotonic() < end_s:
            self.say(part)

    def listen(self) -> None:
        """Say nothing until the other side goes."""
        self.connection.recv(1)

    def reset(self) -> None:
        """Hang up as a crash does."""
        # Without a linger the kernel would send the rest, and a proper end.
        linger = b"\1\0\0\0\0\0\0\0"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


@dataclass
class Server:
    """Answers by path, over TLS where it has a context.

    Attributes:
        listener: its socket, on this machine's own address.
        answers: by path and query, and `*` for all others; whoever asks for another is hung up on.
        context: of its certificate; None for plain HTTP.
        greeting: what it says instead, before it was asked anything.
        visits: connections that were made, with or without a request.
        requests: heads of what was asked.
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
        """Where it listens."""
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
        """Hang up on everybody."""
        self._over.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def _talk(self, plain: socket.socket) -> None:
        # A copy, because a TLS socket takes the other's place, and `stop` needs it.
        with suppress(OSError, ValueError), plain, plain.dup() as copy:
            copy.settimeout(_PATIENCE_S)
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
    """A server of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener, answers or {}, context, greeting)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(_PATIENCE_S)
