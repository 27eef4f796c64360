"""Server program that can be started and stopped repeatedly, with a probe for readiness."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.stack.child import Child, Program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START_TIMEOUT_S = 60.0

_POLL_S = 0.02

_STALE_PROGRAMS = {"postgres", "valkey-server", "weed"}
_KILL_TIMEOUT_S = 10.0


class NotReady(Exception):
    """The server does not answer yet; the message has its last answer or output."""


class Server:
    """Server of a stack, under its name in messages."""

    def __init__(
        self,
        program: Program,
        probe: Callable[[Child], object],
        *,
        prepare: Callable[[], object] = lambda: None,
        cleanup: Callable[[], object] = lambda: None,
    ) -> None:
        """Describe the server; `start` runs it.

        Args:
            program: command line.
            probe: raises NotReady until the server answers.
            prepare: runs before each start.
            cleanup: runs before each start, and after each requested stop.
        """
        self.name, self._program, self._probe = program.name, program, probe
        self._prepare, self._cleanup = prepare, cleanup
        self._child: Child | None = None
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._stopped.set()

    @property
    def log(self) -> Path:
        """Log file."""
        return self._program.log

    @property
    def pid(self) -> int | None:
        """Process id of the server; None if it does not run."""
        child = self._child
        return child.pid if child is not None and child.is_running() else None

    def is_running(self) -> bool:
        """Return whether the process is alive; `wait_ready` checks whether it answers."""
        return self.pid is not None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the server unless it runs, and wait until it answers.

        Raises:
            ServiceUnavailable: it exited or did not answer in time; it is stopped again.
        """
        self._stopped.clear()
        try:
            self.restart(timeout_s)
        except BaseException:
            self.stop()
            raise

    def restart(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the server again if it exited unasked, and wait until it answers.

        Raises:
            ServiceUnavailable: it exited again, did not answer in time, or was stopped meanwhile.
        """
        with self._lock:
            if not self.is_running() and not self._stopped.is_set():
                self._cleanup()
                self._prepare()
                self._child = Child(self._program)
        try:
            self.wait_ready(timeout_s)
        except BaseException:
            with self._lock:
                if self._child is not None:
                    self._child.stop()
            raise

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the server answers.

        Raises:
            ServiceUnavailable: it does not run, exited, or did not answer in time; the message ends
                with its last answer or log line.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            child = self._child
            if child is None:
                raise ServiceUnavailable(f"{self.name}: not running")
            if not child.is_running():
                raise ServiceUnavailable(f"{self.name}: exited: {child.last_line()}")
            try:
                self._probe(child)
            except NotReady as error:
                if time.monotonic() > deadline_s:
                    raise ServiceUnavailable(
                        f"{self.name}: not ready after {timeout_s:.0f} s: {error}"
                    ) from error
            else:
                return
            if self._stopped.wait(_POLL_S):
                raise ServiceUnavailable(f"{self.name}: stopped before it was ready")

    def stop(self) -> None:
        """Stop the server and wait for its exit."""
        self._stopped.set()
        with self._lock:
            if self._child is not None:
                self._child.stop()
                self._cleanup()

    def kill(self) -> None:
        """Kill the server, as a crash would, and wait for its exit."""
        with self._lock:
            if self._child is not None:
                self._child.kill()
                self._cleanup()


def kill_stale_servers(folder: Path) -> None:
    """Kill servers of the stack that run in a folder; their data stays readable.

    Two servers on the same data would destroy it, and Postgres refuses to start while a process of
    an earlier one is still exiting. The caller must hold the lock of the folder.
    """
    import psutil

    killed = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] not in _STALE_PROGRAMS:
            continue
        try:
            if process.cwd() == str(folder):
                process.kill()
                killed.append(process)
        except psutil.Error:  # it has just exited, or belongs to another user
            continue
    psutil.wait_procs(killed, timeout=_KILL_TIMEOUT_S)
