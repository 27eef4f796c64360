"""A TCP proxy in front of a server, which can refuse, hang, or swallow the answer to a COMMIT."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Mode = Literal["pass", "refuse", "hang"]


class Proxy:
    """Passes bytes on, unless told otherwise.

    Args:
        port: of the server, on this machine.
        cut_sign: while this file exists, the next COMMIT reaches the server and its answer reaches
            nobody; the file is taken away then.
    """

    def __init__(self, port: int, cut_sign: Path | None = None) -> None:
        self._target, self._cut_sign = port, cut_sign
        self.mode: Mode = "pass"
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._muted: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop, and drop everybody."""
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Drop all connections."""
        for one in list(self._open):
            self._end(one)

    def become(self, mode: Mode) -> None:
        """Treat everybody so from now on."""
        self.mode = mode
        if mode == "refuse":
            self.drop()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._open |= {client, server}
            for source, target, outward in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pump, args=(source, target, outward), daemon=True
                ).start()

    def _pump(self, source: socket.socket, target: socket.socket, outward: bool) -> None:
        try:
            while data := source.recv(65_536):
                while self.mode == "hang" and source in self._open:
                    threading.Event().wait(0.05)
                if outward and b"COMMIT" in data and self._is_to_cut():
                    self._muted.add(target)  # before the server can answer
                if not outward and source in self._muted:
                    self.cuts += 1  # the server has answered; nobody will hear of it
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            self._end(source)
            self._end(target)

    def _is_to_cut(self) -> bool:
        if self._cut_sign is None:
            return False
        try:
            self._cut_sign.unlink()
        except FileNotFoundError:
            return False
        return True

    def _end(self, one: socket.socket) -> None:
        self._open.discard(one)
        self._muted.discard(one)
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
