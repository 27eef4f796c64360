"""Several songs at once, each in a thread.

While one song is on the device, others are decoded and encoded. Codecs and networks release the
interpreter lock while they work, so threads suffice.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from mashup_worker.errors import Canceled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from mashup_worker.models.separator import Separator

Task = TypeVar("Task")
Result = TypeVar("Result")

_ON_CPU = 2
"""Songs in flight on a CPU, where network and codecs share the cores."""

_ON_DEVICE = 8
"""Songs in flight on a GPU: enough to fill its batches, few enough for memory."""


def songs_in_flight(wanted: int | None, device: str, songs: int) -> int:
    """Return the number of songs in flight; `wanted`, or by default as many as suit the device."""
    most = wanted or (_ON_CPU if device == "cpu" else _ON_DEVICE)
    return max(1, min(most, songs))


def warm_up(separator: Separator, most: int) -> None:
    """Record a separator's networks before `most` threads separate songs with it.

    Recording takes seconds for each batch size, and cuDNN searches its algorithms again in every
    thread that records. Songs in flight meet all sizes, so all are recorded here, in one thread. A
    single song meets few sizes; it starts at once, records on demand, and uses the algorithms that
    cuDNN suggests without a search.

    Raises:
        OutOfMemory: one segment does not fit.
        DeviceLost: this process can no longer use the device.
    """
    if most > 1 and separator.device.startswith("cuda"):
        separator.warm_up()


class Stop:
    """Signal that cancels threads."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Make every later `check` raise."""
        self._event.set()

    def check(self) -> None:
        """Raise `Canceled` after `set`; work calls this from its progress callback."""
        if self._event.is_set():
            raise Canceled


def completed(
    tasks: Iterable[Task], work: Callable[[Task, Stop], Result], most: int
) -> Generator[tuple[Task, Future[Result]]]:
    """Yield each task with its result, in the order of completion, at most `most` at once.

    Tasks are taken from `tasks` in the caller's thread, only when a thread is free; 1 at once runs
    in the caller's thread. Closing the generator, or leaving it by an exception, cancels all work
    at its next `Stop.check` and waits for it.
    """
    stop = Stop()
    if most == 1:
        for task in tasks:
            yield task, _done(task, work, stop)
        return
    source = iter(tasks)
    running: dict[Future[Result], Task] = {}
    with ThreadPoolExecutor(most, thread_name_prefix="song") as pool:
        try:
            while True:
                while len(running) < most:
                    try:
                        task = next(source)
                    except StopIteration:
                        break
                    running[pool.submit(work, task, stop)] = task
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future
        finally:
            stop.set()


def _done(task: Task, work: Callable[[Task, Stop], Result], stop: Stop) -> Future[Result]:
    future: Future[Result] = Future()
    try:
        future.set_result(work(task, stop))
    except Exception as error:
        future.set_exception(error)
    return future
