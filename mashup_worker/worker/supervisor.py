"""Starts lanes, each a process, and starts again what dies."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

from mashup_worker.errors import EXIT_ENVIRONMENT, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

logger = logging.getLogger(__name__)

READY = "ready"
"""What a lane prints when it listens."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_STEADY_S = 60.0
"""A lane that lived this long is started again without a pause."""

_TICK_S = 0.1
_LAST_WORDS_S = 1.0


class Observer(Protocol):
    """Sees what happens to lanes, which are numbered from 0."""

    def turned(self) -> None:
        """The loop went round."""
        ...

    def started(self, lane: int) -> None:
        """A process was started as this lane."""
        ...

    def listens(self, lane: int) -> None:
        """The lane said that it is ready."""
        ...

    def said(self, lane: int, line: str) -> None:
        """The lane said something else."""
        ...

    def ended(self, lane: int, code: int) -> None:
        """The lane ended, and was not asked to; the code is negative for a signal."""
        ...


@dataclass
class _Slot:
    """A lane's place: the process that is in it now, or when the next is started."""

    number: int
    command: Sequence[str]
    process: subprocess.Popen[str] | None = None
    started_s: float = 0.0
    start_at_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    is_ready: bool = False
    reader: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Keeps lanes running until it is told to stop.

    Every lane reads its standard input, which nobody writes to: when the supervisor is gone,
    however it went, the lanes see the end of it and stop.

    Args:
        commands: one a lane.
        observer: told of everything, also from threads of ours.
        on_ready: called once, when all lanes listen for the first time.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        observer: Observer,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._slots = [_Slot(number, command) for number, command in enumerate(commands)]
        self._on_ready = on_ready
        self._observer = observer
        self._signals = 0
        self._told_ready = False

    @property
    def pids(self) -> list[int]:
        """The lanes that run now."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; lanes get the same signal, as often.

        Raises:
            ServiceUnavailable: no lane could start, because something it needs is not there.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            while self._signals == 0 or self.pids:
                self._observer.turned()
                for slot in self._slots:
                    self._look_after(slot)
                if not self._told_ready and all(slot.is_ready for slot in self._slots):
                    self._told_ready = True
                    self._on_ready()
                time.sleep(_TICK_S)
        finally:
            for slot in self._slots:
                if slot.process is not None:
                    slot.process.kill()
                    slot.process.wait()

    def _look_after(self, slot: _Slot) -> None:
        now_s = time.monotonic()
        if slot.process is not None:
            code = slot.process.poll()
            if code is not None:
                self._bury(slot, code, now_s)
        elif self._signals == 0 and now_s >= slot.start_at_s:
            self._start(slot, now_s)

    def _start(self, slot: _Slot, now_s: float) -> None:
        slot.process = subprocess.Popen(
            slot.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C comes through us, and only once
        )
        slot.started_s = now_s
        self._observer.started(slot.number)
        assert slot.process.stdout is not None, "it is a pipe"  # noqa: S101
        slot.reader = threading.Thread(
            target=self._read, args=(slot, slot.process.stdout), daemon=True
        )
        slot.reader.start()
        if self._signals:  # it came while the process was being made
            slot.process.send_signal(signal.SIGTERM)

    def _read(self, slot: _Slot, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.startswith(READY):
                    slot.is_ready = True
                    self._observer.listens(slot.number)
                else:
                    self._observer.said(slot.number, line)

    def _bury(self, slot: _Slot, code: int, now_s: float) -> None:
        assert slot.process is not None, "it has died"  # noqa: S101
        if slot.process.stdin is not None:
            slot.process.stdin.close()
        if slot.reader is not None:  # what it said last comes before its end
            slot.reader.join(_LAST_WORDS_S)
        slot.process = None
        if self._signals:
            return
        self._observer.ended(slot.number, code)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
        logger.error("a lane ended %s; starting another", how)
        if not self._told_ready and code == EXIT_ENVIRONMENT:
            raise ServiceUnavailable("the worker can't start here: see the message above")
        if now_s - slot.started_s > _STEADY_S:
            slot.pause_s = _FIRST_PAUSE_S
        slot.start_at_s = now_s + slot.pause_s
        slot.pause_s = min(_LONGEST_PAUSE_S, 2 * slot.pause_s)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        for slot in self._slots:
            if slot.process is not None and slot.process.poll() is None:
                slot.process.send_signal(number)
