"""Supervisor: starts worker processes and restarts those that exit."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from mashup_worker.errors import EXIT_ENVIRONMENT, EXIT_USAGE, ServiceUnavailable
from mashup_worker.system.restarter import RestartBackoff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from mashup_worker.monitoring.worker_metrics import WorkerMetrics

logger = logging.getLogger(__name__)

READY = "ready"
"""First word of the line that a worker process prints when it accepts jobs."""

_TICK_S = 0.1
_LAST_OUTPUT_S = 1.0


@dataclass
class _Slot:
    """Current process of a number, or the time of the next start."""

    number: int
    command: Sequence[str]
    process: subprocess.Popen[str] | None = None
    started_s: float = 0.0
    start_at_s: float = 0.0
    is_ready: bool = False
    backoff: RestartBackoff = field(default_factory=RestartBackoff)
    reader: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Keeps worker processes, one per command line, running until a signal.

    Each process has a pipe as standard input, which ends when the supervisor dies. The process then
    stops. `on_ready` is called once, when all processes accept jobs. Metrics number the processes
    from 0, and are called from several threads.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        metrics: WorkerMetrics,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._slots = [_Slot(number, command) for number, command in enumerate(commands)]
        self._on_ready = on_ready
        self._metrics = metrics
        self._signals = 0
        self._was_ready = False

    @property
    def pids(self) -> list[int]:
        """Process ids of the running processes."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; each signal is forwarded to all processes.

        Raises:
            ServiceUnavailable: a process cannot start with these settings on this machine.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            while self._signals == 0 or self.pids:
                self._metrics.looped()
                for slot in self._slots:
                    self._check(slot)
                if not self._was_ready and all(slot.is_ready for slot in self._slots):
                    self._was_ready = True
                    self._on_ready()
                time.sleep(_TICK_S)
        finally:
            for slot in self._slots:
                if slot.process is not None:
                    slot.process.kill()
                    slot.process.wait()

    def _check(self, slot: _Slot) -> None:
        now_s = time.monotonic()
        if slot.process is not None:
            code = slot.process.poll()
            if code is not None:
                self._after_exit(slot, code, now_s)
        elif self._signals == 0 and now_s >= slot.start_at_s:
            self._start(slot, now_s)

    def _start(self, slot: _Slot, now_s: float) -> None:
        slot.process = subprocess.Popen(
            slot.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C must arrive once, through the supervisor
        )
        slot.started_s = now_s
        self._metrics.started(slot.number)
        assert slot.process.stdout is not None, "a pipe was requested"  # noqa: S101
        slot.reader = threading.Thread(
            target=self._read, args=(slot, slot.process.stdout), daemon=True
        )
        slot.reader.start()
        if self._signals:  # a signal arrived during the start
            slot.process.send_signal(signal.SIGTERM)

    def _read(self, slot: _Slot, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.startswith(READY):
                    slot.is_ready = True
                    self._metrics.ready(slot.number)
                else:
                    self._metrics.output(slot.number, line)

    def _after_exit(self, slot: _Slot, code: int, now_s: float) -> None:
        assert slot.process is not None, "the process has exited"  # noqa: S101
        if slot.process.stdin is not None:
            slot.process.stdin.close()
        if slot.reader is not None:  # its last reports precede its exit
            slot.reader.join(_LAST_OUTPUT_S)
        slot.process = None
        if self._signals:
            return
        self._metrics.exited(slot.number, code)
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        if not self._was_ready and code in (EXIT_USAGE, EXIT_ENVIRONMENT):
            raise ServiceUnavailable("worker: cannot start; see the message above")
        logger.error("worker process %d: exited with %s; restarting", slot.number, how)
        slot.start_at_s = now_s + slot.backoff.pause_s(now_s - slot.started_s)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        for slot in self._slots:
            if slot.process is not None and slot.process.poll() is None:
                slot.process.send_signal(number)
