"""A program that answers once it is ready, started and stopped as often as needed."""

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


class NotYet(Exception):
    """It does not answer yet; the message says what it did instead."""


class Server:
    """One server of this machine.

    Attributes:
        name: what messages call it.
        log: the file that holds what it writes.
    """

    def __init__(
        self,
        program: Program,
        probe: Callable[[Child], object],
        prepare: Callable[[], object] = lambda: None,
        cleanup: Callable[[], object] = lambda: None,
    ) -> None:
        """Describe it; nothing is started.

        Args:
            program: what to run.
            probe: raises NotYet while it does not answer as it should.
            prepare: runs before each start.
            cleanup: runs before each start and after each end that was asked for.
        """
        self.name = program.name
        self._program = program
        self._probe = probe
        self._prepare = prepare
        self._cleanup = cleanup
        self._child: Child | None = None
        self._lock = threading.RLock()
        self._unwanted = threading.Event()
        self._unwanted.set()

    @property
    def log(self) -> Path:
        """Where it writes."""
        return self._program.log

    @property
    def pid(self) -> int | None:
        """The server's own process number; None when it does not run."""
        child = self._child
        return child.pid if child is not None and child.is_running() else None

    def is_running(self) -> bool:
        """Whether its process lives; see `wait_ready` for whether it answers."""
        return self.pid is not None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it and wait until it answers; nothing happens where it runs.

        Raises:
            ServiceUnavailable: it ended, or did not answer in time, and is stopped again.
        """
        self._unwanted.clear()
        try:
            self.restart(timeout_s)
        except BaseException:
            self.stop()
            raise

    def restart(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it again where it ended by itself, never where it was stopped.

        Raises:
            ServiceUnavailable: it ended again, did not answer in time, or was stopped meanwhile.
        """
        with self._lock:
            if not self.is_running() and not self._unwanted.is_set():
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
        """Wait until it answers.

        Raises:
            ServiceUnavailable: it does not run, ended, or did not answer in time; the message ends
                with the last line of its log, or with its answer.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            child = self._child
            if child is None:
                raise ServiceUnavailable(f"{self.name} is not running")
            if not child.is_running():
                raise ServiceUnavailable(f"{self.name} ended: {child.last_line()}")
            try:
                self._probe(child)
            except NotYet as error:
                if time.monotonic() > deadline:
                    raise ServiceUnavailable(
                        f"{self.name} is not ready after {timeout_s:.0f} s: {error}"
                    ) from error
            else:
                return
            if self._unwanted.wait(_POLL_S):
                raise ServiceUnavailable(f"{self.name} was stopped before it was ready")

    def stop(self) -> None:
        """Stop it in order, and wait until it has ended."""
        self._unwanted.set()
        with self._lock:
            if self._child is not None:
                self._child.stop()
                self._cleanup()

    def kill(self) -> None:
        """Kill it, as a crash would, and wait until it has ended."""
        with self._lock:
            if self._child is not None:
                self._child.kill()
                self._cleanup()
