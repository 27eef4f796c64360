"""Processes that do their work at the same time, so that it can be measured without their start."""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mashup_worker.bench.text import reason
from mashup_worker.system.child_guard import exit_with_parent
from mashup_worker.system.process_pool import interrupts_ignored

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Result = TypeVar("Result")

START_METHOD = "spawn"
"""CUDA cannot be used in a fork of a process that has used it."""


@dataclass(frozen=True)
class _Failed:
    reason: str


class ParallelProcesses(Generic[Result]):
    """Context manager of processes that prepare their work, wait for each other, and then do it.

    Leaving the block kills the processes; until then they keep their memory.

    Attributes:
        failures: reason of each process that failed. After a failure no further round is possible.
    """

    def __init__(self, prepare: Callable[[int], Callable[[], Result]], count: int) -> None:
        """Define the work.

        Args:
            prepare: called in each process with its number, from 0; returns the work of a round. It
                and the results must pickle.
            count: number of processes.
        """
        self._prepare, self._count = prepare, count
        self._started: list[tuple[BaseProcess, Connection[Any, Any]]] = []
        self.failures: list[str] = []

    def start(self) -> None:
        """Start the processes, and wait until each has prepared its work or failed."""
        context: Any = multiprocessing.get_context(START_METHOD)
        with interrupts_ignored():
            for number in range(self._count):
                ours, theirs = context.Pipe()
                arguments = theirs, self._prepare, number
                process = context.Process(target=_serve, args=arguments, daemon=True)
                process.start()
                theirs.close()
                self._started.append((process, ours))
        self._answers()

    def round(self) -> list[Result]:
        """Let all processes work once, at the same time; return the results of those that could."""
        for _, connection in self._started:
            with suppress(OSError):  # a process that died while it waited; `recv` fails too
                connection.send(None)
        return self._answers()

    def __enter__(self) -> ParallelProcesses[Result]:
        return self

    def __exit__(self, *_: object) -> None:
        for process, connection in self._started:
            process.kill()
            connection.close()
        for process, _connection in self._started:
            process.join()

    def _answers(self) -> list[Any]:
        """Wait for an answer of each process."""
        answers = []
        for process, connection in self._started:
            try:
                answer = connection.recv()
            except (EOFError, OSError):
                process.join()
                answer = _Failed(f"the process ended with exit code {process.exitcode}")
            if isinstance(answer, _Failed):
                self.failures.append(answer.reason)
            else:
                answers.append(answer)
        return answers


def _serve(
    connection: Connection[Any, Any], prepare: Callable[[int], Callable[[], object]], number: int
) -> None:
    """Prepare the work, and do it once for each message from the other side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()
    try:
        work = prepare(number)
        answer = None
        while True:
            connection.send(answer)
            connection.recv()
            answer = work()
    except Exception as error:  # compilers and drivers raise any exception
        with suppress(OSError):  # if the other side is gone
            connection.send(_Failed(reason(error)))
