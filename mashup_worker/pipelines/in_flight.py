"""A few songs at once, each in a thread of its own, and their results as they come.

While one song is on the device, others are decoded and encoded: codecs and networks let go of the
interpreter while they work, so threads are enough to keep both busy.
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
"""Songs in flight where the network shares the cores with the codecs."""

_ON_DEVICE = 8
"""Songs in flight where a device runs the network: enough to fill its batches, few enough for
memory."""


def songs_in_flight(wanted: int | None, device: str, songs: int) -> int:
    """How many songs to have in flight.

    Args:
        wanted: what was asked for; None for what suits the device.
        device: kind of the device that runs the networks.
        songs: how many there are.
    """
    most = wanted or (_ON_CPU if device == "cpu" else _ON_DEVICE)
    return max(1, min(most, songs))


def warm_up(separator: Separator, most: int) -> None:
    """Record a separator's networks before `most` threads separate songs with it.

    Recordings take seconds for each size of batch, and cuDNN searches its algorithms anew in every
    thread that makes one. Songs in flight meet all sizes, so all are recorded here, in one thread.
    A song alone meets few sizes: it starts at once, with recordings as it needs them and with the
    algorithms that cuDNN suggests without a search.

    Raises:
        OutOfMemory: not even one segment fits.
        DeviceLost: the device can't be used by this process any more.
    """
    if most == 1 or not separator.device.startswith("cuda"):
        return
    from mashup_worker.models.demucs_engine import DemucsSeparator  # imports demucs

    if isinstance(separator, DemucsSeparator):
        separator.warm_up()


class Stop:
    """Tells threads to end."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """From now on, `check` raises."""
        self._event.set()

    def check(self) -> None:
        """Raise `Canceled` where the work is to end; work calls this from its progress."""
        if self._event.is_set():
            raise Canceled


def completed(
    tasks: Iterable[Task], work: Callable[[Task, Stop], Result], most: int
) -> Generator[tuple[Task, Future[Result]]]:
    """Each task with what came of it, in the order in which they are done.

    Tasks are taken from `tasks`, in the caller's thread, only when there is room for one. Close the
    generator, or leave it by an exception, and all work ends at its next `Stop.check`; the
    generator waits for that.

    Args:
        tasks: what to do.
        work: called with a task, and with what tells it to stop.
        most: how many at once; 1 for one after the other in the caller's thread.
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
