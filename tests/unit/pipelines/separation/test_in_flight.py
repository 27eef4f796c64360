"""Songs in flight: a device that is never kept waiting, results as they come, and a prompt end."""

from __future__ import annotations

import threading
import time
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import Canceled
from mashup_worker.pipelines.separation.in_flight import Stop, completed, songs_in_flight

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_the_order_in_which_they_are_done() -> None:
    slow_may_end = threading.Event()

    def work(task: str, _stop: Stop) -> str:
        if task == "slow":
            slow_may_end.wait(60)
        return task.upper()

    seen = []
    for task, result in completed(["slow", "quick", "quicker"], work, 2):
        seen.append((task, result.result()))
        if task == "quicker":
            slow_may_end.set()
    assert seen == [("quick", "QUICK"), ("quicker", "QUICKER"), ("slow", "SLOW")]


def test_the_device_does_not_wait_for_codecs() -> None:
    """The device works on one song while another is encoded and a third is decoded."""
    device, all_at_work = threading.Lock(), threading.Barrier(3, timeout=60)

    def work(task: int, _stop: Stop) -> None:
        for step in ("decode", "device", "encode"):
            with device if step == "device" else nullcontext():
                if (task, step) in {(0, "encode"), (1, "device"), (2, "decode")}:
                    all_at_work.wait()

    for _, result in completed(range(3), work, 3):
        result.result()


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_than_so_many_at_once_and_no_task_before_there_is_room(most: int) -> None:
    now, highest, taken, done = [0], [0], [0], [0]
    lock, first = threading.Lock(), threading.Barrier(most, timeout=60)

    def tasks() -> Iterator[int]:
        for number in range(10):
            taken[0] += 1
            assert taken[0] - done[0] <= most
            yield number

    def work(task: int, _stop: Stop) -> None:
        with lock:
            now[0] += 1
            highest[0] = max(highest[0], now[0])
        if task < most:
            first.wait()
        with lock:
            now[0] -= 1

    for _, result in completed(tasks(), work, most):
        result.result()
        done[0] += 1
    assert (taken[0], highest[0]) == (10, most)


@pytest.mark.parametrize("most", [1, 2])
def test_an_error_is_the_result_of_its_song(most: int) -> None:
    def work(task: int, _stop: Stop) -> int:
        if task == 1:
            raise ValueError(task)
        return task

    results = dict(completed(range(4), work, most))
    assert isinstance(results.pop(1).exception(), ValueError)
    assert {task: result.result() for task, result in results.items()} == {0: 0, 2: 2, 3: 3}


def test_leaving_ends_all_work() -> None:
    ended: list[type[BaseException]] = []
    long_runs = threading.Barrier(2, timeout=60)

    def work(task: int, stop: Stop) -> int:
        long_runs.wait()
        if task:
            try:
                while True:
                    stop.check()
                    time.sleep(0.001)
            except Canceled as error:
                ended.append(type(error))
                raise
        return task

    with closing(completed(range(2), work, 2)) as songs:
        assert next(songs)[0] == 0
    assert ended == [Canceled]


def test_how_many_suits_the_device() -> None:
    assert songs_in_flight(None, "cpu", 100) < songs_in_flight(None, "cuda", 100)
    assert songs_in_flight(None, "cuda", 2) == 2
    assert songs_in_flight(5, "cpu", 100) == 5
    assert songs_in_flight(None, "cpu", 0) == 1
