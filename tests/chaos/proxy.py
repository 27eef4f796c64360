"""TCP proxy that can refuse connections, hang, or drop the answer to a COMMIT."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Mode = Literal["pass", "refuse", "hang"]


class Proxy:
    """Proxy that passes bytes on by default.

    Args:
        port: port of the server on this machine.
        cut_file: while this file exists, the answer to the next COMMIT is dropped and the file is
            removed.
    """

    def __init__(self, port: int, cut_file: Path | None = None) -> None:
        self._target, self._cut_file = port, cut_file
        self.mode: Mode = "pass"
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._muted: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop, and close all connections."""
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Close all connections."""
        for one in list(self._open):
            self._end(one)

    def set_mode(self, mode: Mode) -> None:
        """Change the mode of all connections."""
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
                server = socket.create_connection(("127.0.0.1", self._target), timeout=60)
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
                if outward and b"COMMIT" in data and self._should_cut():
                    self._muted.add(target)  # before the server can answer
                if not outward and source in self._muted:
                    self.cuts += 1  # drops the answer
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            self._end(source)
            self._end(target)

    def _should_cut(self) -> bool:
        if self._cut_file is None:
            return False
        try:
            self._cut_file.unlink()
        except FileNotFoundError:
            return False
        return True

    def _end(self, one: socket.socket) -> None:
        self._open.discard(one)
        self._muted.discard(one)
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
