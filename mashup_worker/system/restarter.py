"""Restart of processes that exit unasked, with growing pauses."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_STEADY_S = 60.0
_WATCH_S = 0.1


@dataclass
class RestartBackoff:
    """Pauses before restarts of one process: 0.5 s, doubled up to 30 s, reset by a run of 60 s."""

    _pause_s: float = _FIRST_PAUSE_S

    def pause_s(self, ran_s: float) -> float:
        """Return the pause in seconds before a process that ran for `ran_s` is restarted."""
        pause_s = _FIRST_PAUSE_S if ran_s > _STEADY_S else self._pause_s
        self._pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return pause_s


class Restartable(Protocol):
    """Process that a `Restarter` watches."""

    @property
    def name(self) -> str:
        """Name for threads and messages."""

    def is_running(self) -> bool:
        """Return whether the process is alive."""

    def restart(self, timeout_s: float) -> None:
        """Start the process again, unless it was stopped on purpose, and wait until it is ready.

        Raises:
            MashupError: the process exited again, or was not ready in time.
        """


class Restarter:
    """Watches processes, one thread each, and restarts those that exit until it is stopped."""

    def __init__(
        self, processes: Iterable[Restartable], timeout_s: float, on_restart: Callable[[], object]
    ) -> None:
        """Start watching running processes.

        `timeout_s` is the longest start of one of them, until it is ready. `on_restart` is called
        after each restart.
        """
        self._timeout_s = timeout_s
        self._on_restart = on_restart
        self._stopped = threading.Event()
        for process in processes:
            name = f"restarter of {process.name}"
            threading.Thread(target=self._watch, args=(process,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Stop restarting. Call it before the processes are stopped."""
        self._stopped.set()

    def _watch(self, process: Restartable) -> None:
        backoff = RestartBackoff()
        started_s = time.monotonic()
        while not self._stopped.wait(_WATCH_S):
            if process.is_running():
                continue
            if self._stopped.wait(backoff.pause_s(time.monotonic() - started_s)):
                return
            started_s = time.monotonic()
            with contextlib.suppress(MashupError, OSError):  # the next round tries again
                process.restart(self._timeout_s)
                self._on_restart()
