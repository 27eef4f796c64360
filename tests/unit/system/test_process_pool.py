"""Work over processes: all of it is done, and a process that dies costs its own task only."""

from __future__ import annotations

import os
import signal
import time

from mashup_worker.system.process_pool import Crashed, ProcessPool


def work(task: int) -> tuple[int, str, bool]:
    """Square a number, in a process; negative ones end it."""
    if task < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return task * task, os.environ["OMP_NUM_THREADS"], deaf


def sleep(seconds: float) -> float:
    """Take a while."""
    time.sleep(seconds)
    return seconds


def test_all_is_done_in_processes_of_one_thread_that_leave_ctrl_c_to_us() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ProcessPool(work, range(7), 2) as pool:
        results = dict(pool.results())
    assert results == {n: (n * n, "1", True) for n in range(7)}
    assert signal.getsignal(signal.SIGINT) is before


def test_a_process_that_dies_costs_only_its_task() -> None:
    tasks = [1, -1, 2, -2, 3]
    with ProcessPool(work, tasks, 2) as pool:
        results = dict(pool.results())
    assert [results[place] for place in (1, 3)] == [Crashed(-signal.SIGKILL)] * 2
    assert [results[place] for place in (0, 2, 4)] == [(n * n, "1", True) for n in (1, 2, 3)]


def test_leaving_ends_what_is_under_way() -> None:
    started_s = time.monotonic()
    with ProcessPool(sleep, [0.0, 600.0, 600.0], 2) as pool:
        assert next(pool.results()) == (0, 0.0)
    assert time.monotonic() - started_s < 60


def test_nothing_to_do_needs_no_process() -> None:
    nothing: list[int] = []
    with ProcessPool(work, nothing, 2) as pool:
        assert list(pool.results()) == []
