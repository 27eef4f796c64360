"""Pool of processes in which a crash fails one task and Ctrl-C ends all work at once.

`ProcessPoolExecutor` fails all remaining tasks when one process dies, and `multiprocessing.Pool`
waits forever for the task of a dead process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mashup_worker.system.child_guard import exit_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Task = TypeVar("Task")
Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Variables that libraries read once, when they are imported."""


@dataclass(frozen=True)
class Crashed:
    """Outcome of a task whose process died: its exit code, negative for a signal."""

    exit_code: int | None


@dataclass(frozen=True, eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection[Any, Any]


class ProcessPool(Generic[Task, Result]):
    """Context manager that runs one function on many tasks in single-threaded processes.

    Leaving the block kills the processes. The argument and the result of `work` must pickle, and it
    must not raise. `jobs` is the number of processes.
    """

    def __init__(self, work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> None:
        self._work = work
        self._waiting = deque(enumerate(tasks))
        self._jobs = jobs
        self._busy: dict[Any, tuple[_Worker, int]] = {}
        self._workers: list[_Worker] = []

    def results(self) -> Iterator[tuple[int, Result | Crashed]]:
        """Yield the index and the result of each task in the order of completion."""
        with interrupts_ignored():
            for _ in range(min(self._jobs, len(self._waiting))):
                self._start()
        while self._busy:
            for connection in wait(list(self._busy)):
                worker, index = self._busy.pop(connection)
                try:
                    result: Result | Crashed = worker.connection.recv()
                except (EOFError, OSError):
                    worker.process.join()
                    result = Crashed(worker.process.exitcode)
                    with interrupts_ignored():
                        self._start()
                else:
                    self._assign(worker)
                yield index, result

    def __enter__(self) -> ProcessPool[Task, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        # The processes write no files, so nothing is lost, and native code would ignore SIGTERM.
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
        self._assign(worker)

    def _assign(self, worker: _Worker) -> None:
        if not self._waiting:
            return
        index, task = self._waiting.popleft()
        self._busy[worker.connection] = worker, index
        with suppress(OSError):  # a process that died while idle; the next `recv` fails too
            worker.connection.send(task)


def _serve(connection: Connection[Any, Any], work: Callable[[Any], Any]) -> None:
    """Run tasks in a child process until the pool closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    exit_with_parent()
    with suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from their first instruction; the pool ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
