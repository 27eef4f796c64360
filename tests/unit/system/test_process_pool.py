"""Tasks in a pool of processes."""

from __future__ import annotations

import os
import signal
import time

from mashup_worker.system.process_pool import Crashed, ProcessPool


def work(task: int) -> tuple[int, str, bool]:
    """Square a number; a negative one kills the process."""
    if task < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    ignores_ctrl_c = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return task * task, os.environ["OMP_NUM_THREADS"], ignores_ctrl_c


def sleep(seconds: float) -> float:
    """Sleep."""
    time.sleep(seconds)
    return seconds


def test_processes_are_single_threaded_and_ignore_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ProcessPool(work, range(7), 2) as pool:
        results = dict(pool.results())
    assert results == {n: (n * n, "1", True) for n in range(7)}
    assert signal.getsignal(signal.SIGINT) is before


def test_a_dead_process_fails_only_its_task() -> None:
    tasks = [1, -1, 2, -2, 3]
    with ProcessPool(work, tasks, 2) as pool:
        results = dict(pool.results())
    assert [results[index] for index in (1, 3)] == [Crashed(-signal.SIGKILL)] * 2
    assert [results[index] for index in (0, 2, 4)] == [(n * n, "1", True) for n in (1, 2, 3)]


def test_leaving_the_block_kills_running_tasks() -> None:
    started_s = time.monotonic()
    with ProcessPool(sleep, [0.0, 600.0, 600.0], 2) as pool:
        assert next(pool.results()) == (0, 0.0)
    assert time.monotonic() - started_s < 60


def test_an_empty_list_of_tasks_starts_no_process() -> None:
    nothing: list[int] = []
    with ProcessPool(work, nothing, 2) as pool:
        assert list(pool.results()) == []
