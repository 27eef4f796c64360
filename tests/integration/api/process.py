"""`mashup api` as a process, and clients that write raw bytes to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from tests.e2e.command import MASHUP
from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from mashup_worker.storage.objects import Storage

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with which closing a socket resets its connection."""


@dataclass(frozen=True)
class Answer:
    """Answer of the server, and whether it closed the connection."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


class RawClient:
    """One connection; closing it resets it unless everything was received."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def send(self, *parts: bytes) -> None:
        """Send bytes, as far as the server takes them."""
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                self._socket.sendall(part)

    def end(self) -> None:
        """Send no more bytes, but still receive."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self) -> Answer | None:
        """Return the next answer; None if the connection is closed without one."""
        with suppress(ConnectionResetError), self._socket.makefile("rb") as file:
            status = file.readline()
            if not status:
                return None
            headers = dict[str, str]()
            while line := file.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            length = headers.get("content-length")
            body = file.read() if length is None else file.read(int(length))
            return Answer(int(status.split()[1]), headers, body)
        return None

    def receive(self, count: int) -> bytes:
        """Return up to `count` bytes."""
        return self._socket.recv(count)

    def is_closed_by_server(self) -> bool:
        """Wait until the server closes the connection; False if it sends more."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class ApiProcess:
    """Running `mashup api`.

    Attributes:
        url: address of the server.
        scratch: its folder for temporary files.
        store: the store that it uses.
    """

    process: subprocess.Popen[str]
    url: str
    scratch: Path
    store: Storage

    def client(self) -> RawClient:
        return RawClient(self.url)

    def files(self) -> list[Path]:
        """All temporary files besides the lock."""
        # Not `rglob`, which fails for folders that vanish meanwhile.
        found = (Path(top, name) for top, _, names in os.walk(self.scratch) for name in names)
        return [path for path in found if path.name != "lock"]

    def keys(self) -> list[str]:
        return [one.key for one in self.store.list("")]

    def is_idle(self) -> bool:
        """Whether nothing of any request is left."""
        return not (self.files() or self.is_decoding())

    def is_decoding(self) -> bool:
        """Whether it has a subprocess."""
        return bool(psutil.Process(self.process.pid).children(recursive=True))

    def connections_to(self, port: int) -> int:
        """Number of open connections to a port of another server."""
        connections = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(
            bool(one.raddr) and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
            for one in connections
        )

    @contextmanager
    def flat_memory(self, megabytes: float) -> Iterator[None]:
        """Check that the peak of the memory rises by less than this in the block."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        before = self._peak_bytes()
        yield
        grown = (self._peak_bytes() - before) / 1e6
        assert grown < megabytes, f"{grown:.0f} MB more"

    def _peak_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [one for one in status.splitlines() if one.startswith("VmHWM")]
        return int(line.split()[1]) * 1024


@contextmanager
def api_process(
    environment: Mapping[str, str], scratch: Path, store: Storage
) -> Iterator[ApiProcess]:
    """Start `mashup api` with settings, and stop it at the end."""
    source = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    with Process(
        [MASHUP, "api", "--port", "0"],
        env={**source, **environment, "MASHUP_SCRATCH": str(scratch)},
        stdout=subprocess.PIPE,
        preexec_fn=stop_with_tests,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready: "), line
        yield ApiProcess(process, line.split()[1], scratch, store)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for a condition."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "condition not met in time"
        time.sleep(0.02)
