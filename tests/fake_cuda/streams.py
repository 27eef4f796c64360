"""Streams and events, ordered by vector clocks.

Launches are numbered by stream. A clock holds, for every stream, the last launch that has surely
ended: the clock of the host those that have ended by now, the clock of a stream those that have
ended before the next launch on that stream begins. Waiting for an event merges the event's clock.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from tests.fake_cuda.findings import FOUND, LOCK, Place, here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fake_cuda.graphs import Graph

    Clock = dict[int, int]
    """By stream, its last launch known to have ended."""

POOL_SIZE = 32
"""Streams that torch hands out in turn, for each device."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A graph in the making."""

    graph: Graph
    stream: Stream
    mode: str
    thread: int


class Timeline:
    """Clocks of all streams and of the host, and the recording in progress."""

    def __init__(self) -> None:
        self.host: Clock = {}
        self.recording: Recording | None = None
        self._clocks: defaultdict[int, Clock] = defaultdict(dict)
        self._launches: defaultdict[int, int] = defaultdict(int)

    def clock(self, stream: Stream) -> Clock:
        """Return what has ended when `stream` runs what is launched now."""
        clock = self._clocks[stream.id]
        _merge(clock, self.host)
        return clock

    def launch(self, stream: Stream) -> Clock:
        """Number the next launch on `stream`, and return its clock."""
        clock = self.clock(stream)
        self._launches[stream.id] += 1
        clock[stream.id] = self._launches[stream.id]
        return clock

    def order(self, stream: Stream, clock: Clock) -> None:
        """Let `stream` wait for everything in `clock`."""
        _merge(self._clocks[stream.id], clock)

    def wait(self, stream: Stream | None = None) -> None:
        """Let the host wait for a stream, or for all of them."""
        for clock in [self._clocks[stream.id]] if stream else list(self._clocks.values()):
            _merge(self.host, clock)

    def records_on(self, stream: Stream) -> bool:
        """Whether what the calling thread launches on `stream` is recorded.

        Raises:
            FakeCudaError: another thread records on it.
        """
        recording = self.recording
        if recording is None or recording.stream != stream:
            return False
        if recording.thread != threading.get_ident():
            FOUND.fail("use of a stream on which another thread records a graph")
        return True

    def forbid(self, action: str, stream: Stream | None = None) -> None:
        """Raise where `action` of the host is not permitted because a graph is recorded.

        Args:
            action: what the host is about to do.
            stream: the stream that it concerns; None for the whole device.
        """
        recording = self.recording
        if recording is None:
            return
        own = recording.thread == threading.get_ident()
        if own or recording.mode == "global" or stream in (None, recording.stream):
            FOUND.fail(f"{action} while a graph is recorded")


def _merge(into: Clock, other: Clock) -> None:
    for stream, launch in other.items():
        into[stream] = max(into.get(stream, 0), launch)


class _Pool:
    """The streams that torch hands out in turn."""

    def __init__(self) -> None:
        self._first = 1
        self._made = 0
        self._holders: defaultdict[int, list[tuple[weakref.ref[Stream], Place]]]
        self._holders = defaultdict(list)

    def renew(self) -> None:
        """Hand out streams that nothing uses yet."""
        with LOCK:
            self._first += POOL_SIZE
            self._made = 0

    def take(self, stream: Stream) -> int:
        """Return the next identity, noting who holds the same."""
        with LOCK:
            identity = self._first + self._made % POOL_SIZE
            self._made += 1
            place, holders = here(), self._holders[identity]
            holders[:] = [(held, by) for held, by in holders if held() is not None]
            for _, by in holders:
                FOUND.add("alias", f"a new stream is the one made at {by}, still in use", place)
            holders.append((weakref.ref(stream), place))
            return identity


class Stream:
    """Stands in for `torch.cuda.Stream`."""

    def __init__(self, device: object = None, priority: int = 0, *, default: bool = False) -> None:
        del device, priority
        self.device = torch.device("cuda", 0)
        self.id = 0 if default else POOL.take(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def wait_event(self, event: Event) -> None:
        with LOCK:
            TIMELINE.records_on(self)
            TIMELINE.order(self, event.clock)

    def wait_stream(self, stream: Stream) -> None:
        self.wait_event(stream.record_event())

    def record_event(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def synchronize(self) -> None:
        with LOCK:
            TIMELINE.forbid("synchronization of a stream", self)
            FOUND.add("wait", "synchronization of a stream")
            TIMELINE.wait(self)

    def query(self) -> bool:
        return True


class Event:
    """Stands in for `torch.cuda.Event`."""

    def __init__(self, **_options: Any) -> None:
        self.clock: Clock = {}
        self._time_s = 0.0

    def record(self, stream: Stream | None = None) -> None:
        with LOCK:
            stream = stream or current_stream()
            TIMELINE.records_on(stream)
            self.clock = dict(TIMELINE.clock(stream))
            self._time_s = time.perf_counter()

    def wait(self, stream: Stream | None = None) -> None:
        (stream or current_stream()).wait_event(self)

    def synchronize(self) -> None:
        with LOCK:
            FOUND.add("wait", "synchronization of an event")
            _merge(TIMELINE.host, self.clock)

    def query(self) -> bool:
        return True

    def elapsed_time(self, end: Event) -> float:
        """Return milliseconds."""
        return 1e3 * (end._time_s - self._time_s)


TIMELINE = Timeline()
POOL = _Pool()
DEFAULT = Stream(default=True)
_local = threading.local()


def current_stream(_device: object = None) -> Stream:
    stream: Stream = getattr(_local, "stream", DEFAULT)
    return stream


@contextmanager
def on_stream(stream: Stream | None) -> Iterator[None]:
    before = current_stream()
    _local.stream = stream or before
    try:
        yield
    finally:
        _local.stream = before


def synchronize(_device: object = None) -> None:
    with LOCK:
        TIMELINE.forbid("synchronization of the device")
        FOUND.add("wait", "synchronization of the device")
        TIMELINE.wait()
