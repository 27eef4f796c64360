"""Processes that prepare their work, wait for each other, and do it at the same time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from mashup_worker.bench.parallel import ParallelProcesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG_S, SHORT_S = 60.0, 0.3


def wait_for(condition: Callable[[], bool], limit_s: float) -> bool:
    """Return whether a condition came true within the limit."""
    until = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def prepare(folder: Path, number: int) -> Callable[[], tuple[bool, int]]:
    """Take longer in process 0, unless another begins its work before that."""
    if number == 0:
        wait_for(lambda: any(folder.glob("working*")), SHORT_S)
        (folder / "slowest is ready").touch()
    return partial(work, folder, number, iter(range(2)))


def work(folder: Path, number: int, rounds: Iterator[int]) -> tuple[bool, int]:
    """Wait until two processes are at work; return whether all were ready before, and the round."""
    ready = (folder / "slowest is ready").exists()
    (folder / f"working{number}").touch()
    if not wait_for(lambda: len([*folder.glob("working*")]) == 2, LONG_S):
        raise TimeoutError("the other process does not work at the same time")
    return ready, next(rounds)


def test_all_work_at_once_when_the_last_is_ready(tmp_path: Path) -> None:
    with ParallelProcesses(partial(prepare, tmp_path), 2) as processes:
        processes.start()
        assert not [*tmp_path.glob("working*")]
        first, second = processes.round(), processes.round()
    assert processes.failures == []
    assert first == [(True, 0)] * 2
    assert second == [(True, 1)] * 2  # of the same processes
    assert not multiprocessing.active_children()


def fail_to_prepare(number: int) -> Callable[[], int]:
    """Raise an error in process 0, and kill process 1."""
    if number == 0:
        raise RuntimeError("CUDA error: out of memory\nat a place")
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return partial(int, number)


def test_processes_that_can_not_prepare_are_named_by_their_reasons() -> None:
    with ParallelProcesses(fail_to_prepare, 3) as processes:
        processes.start()
    assert processes.failures == [
        "CUDA error: out of memory",
        "the process ended with exit code -9",
    ]
    assert not multiprocessing.active_children()


def fail_at_work(number: int) -> Callable[[], int]:
    """Raise an error in the work of process 0."""
    return partial(int, ["x", "1"][number])


def test_others_complete_a_round_in_which_one_fails() -> None:
    with ParallelProcesses(fail_at_work, 2) as processes:
        processes.start()
        assert processes.failures == []
        assert processes.round() == [1]
    assert processes.failures == ["invalid literal for int() with base 10: 'x'"]
