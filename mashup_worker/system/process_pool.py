"""Work spread over processes, so that a crash costs one piece of it and Ctrl-C stops it at once.

`ProcessPoolExecutor` gives up all that is left when one process dies, and the standard pool waits
for ever for what the dead one had; here only the song that killed its process fails.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Task = TypeVar("Task")
Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What libraries read, once, when they are imported."""


@dataclass(frozen=True)
class Died:
    """What comes of a task whose process ended: its exit code, negative for a signal."""

    exit_code: int | None


@dataclass(frozen=True, eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection[Any, Any]


class ProcessPool(Generic[Task, Result]):
    """Runs one function on many tasks, each in one of a few processes of one thread each.

    Use it as a context manager: leaving it ends the processes, whatever they are at.

    Args:
        work: called in the processes; what it is given and what it returns must pickle, and it
            must not raise.
        tasks: what it is called with.
        jobs: number of processes.
    """

    def __init__(self, work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> None:
        self._work = work
        self._waiting = deque(enumerate(tasks))
        self._jobs = jobs
        self._busy: dict[Any, tuple[_Worker, int]] = {}
        self._workers: list[_Worker] = []

    def results(self) -> Iterator[tuple[int, Result | Died]]:
        """Each task's place and result, as they come."""
        with _deaf_to_interrupts():
            for _ in range(min(self._jobs, len(self._waiting))):
                self._start()
        while self._busy:
            for connection in wait(list(self._busy)):
                worker, index = self._busy.pop(connection)
                try:
                    result: Result | Died = worker.connection.recv()
                except (EOFError, OSError):
                    worker.process.join()
                    result = Died(worker.process.exitcode)
                    with _deaf_to_interrupts():
                        self._start()
                else:
                    self._hand_out(worker)
                yield index, result

    def __enter__(self) -> ProcessPool[Task, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        # They write nothing, so nothing is lost; and native code would not hear a politer request.
        for worker in self._workers:
            worker.process.kill()
            worker.connection.close()
        for worker in self._workers:
            worker.process.join()

    def _start(self) -> None:
        if not self._waiting:
            return
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        self._hand_out(worker)

    def _hand_out(self, worker: _Worker) -> None:
        if not self._waiting:
            return
        index, task = self._waiting.popleft()
        self._busy[worker.connection] = worker, index
        with suppress(OSError):  # it died while idle, which the next `recv` finds out
            worker.connection.send(task)


def _serve(connection: Connection[Any, Any], work: Callable[[Any], Any]) -> None:
    """What a process does until nobody is at the other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))


def _end_with_parent() -> None:
    """End this process, whatever it is at, once the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C, not even while they import: we end them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
