"""Streams and events, ordered by vector clocks.

The launches of each stream are numbered. A clock holds, for every stream, the last launch that has
surely ended: the clock of the host those that have ended by now, the clock of a stream those that
have ended before its next launch begins. Waiting for an event merges the event's clock.
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from tests.fake_cuda.findings import LOCK, fail, here, note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fake_cuda.graphs import Graph

Clock = dict[int, int]

DEVICE = torch.device("cuda", 0)

_POOL_SIZE = 32
"""Streams that torch hands out in turn."""


class Timeline:
    """Clocks of the host and of all streams, and the recording in progress."""

    def __init__(self) -> None:
        self.host: Clock = {}
        self.streams: defaultdict[int, Clock] = defaultdict(dict)
        self.recording: tuple[Graph, int, str, int] | None = None
        """A graph in the making, its stream, its error mode, and the thread that records it."""
        self._pool: defaultdict[int, weakref.WeakSet[Stream]] = defaultdict(weakref.WeakSet)
        self._first = self._made = 0

    def clock(self, stream: Stream, *, launches: bool = False) -> Clock:
        """Return the clock of the next launch on `stream`, or of a launch made now."""
        clock = self.streams[stream.id]
        merge(clock, self.host)
        clock[stream.id] = clock.get(stream.id, 0) + launches
        return clock

    def graph(self, stream: Stream) -> Graph | None:
        """Return the graph that records what the calling thread launches on `stream`."""
        if self.recording is None or self.recording[1] != stream.id:
            return None
        if self.recording[3] != threading.get_ident():
            fail("use of a stream on which another thread records a graph")
        return self.recording[0]

    def forbid(self, action: str, stream: Stream | None = None) -> None:
        """Raise where a recording forbids the host to do this to a stream, or to the device."""
        if self.recording is not None:
            _, recorded, mode, thread = self.recording
            concerned = stream is None or stream.id == recorded or mode == "global"
            if concerned or thread == threading.get_ident():
                fail(f"{action} while a graph is recorded")

    def next_id(self, stream: Stream) -> int:
        """Return the identity of a new stream: that of the 32nd before it."""
        identity = self._first + self._made % _POOL_SIZE
        self._made += 1
        for holder in self._pool[identity]:
            note("alias", f"the new stream is the one in use that was made at {holder.place}")
        self._pool[identity].add(stream)
        return identity

    def renew_pool(self) -> None:
        """Hand out streams that nothing has used."""
        self._first, self._made = self._first + _POOL_SIZE, 0


def merge(into: Clock, *others: Clock) -> None:
    """Let `into` wait for everything in the others."""
    for other in others:
        for stream, launch in other.items():
            into[stream] = max(into.get(stream, 0), launch)


class Stream:
    """Stands in for `torch.cuda.Stream`."""

    def __init__(self, *_device: Any, **_options: Any) -> None:
        with LOCK:
            self.device, self.place, self.id = DEVICE, here(), TIMELINE.next_id(self)

    def wait_event(self, event: Event) -> None:
        with LOCK:
            TIMELINE.graph(self)
            merge(TIMELINE.streams[self.id], event.clock)

    def wait_stream(self, stream: Stream) -> None:
        self.wait_event(stream.record_event())

    def record_event(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def synchronize(self) -> None:
        self.record_event().synchronize()


class Event:
    """Stands in for `torch.cuda.Event`."""

    def __init__(self, **_options: Any) -> None:
        self.clock: Clock = {}

    def record(self, stream: Stream | None = None) -> None:
        stream = stream or current_stream()
        with LOCK:
            TIMELINE.graph(stream)
            self.clock = dict(TIMELINE.clock(stream))

    def synchronize(self) -> None:
        with LOCK:
            TIMELINE.forbid("synchronization of an event", current_stream())
            note("wait", "the host waits for an event")
            merge(TIMELINE.host, self.clock)


TIMELINE = Timeline()
DEFAULT = Stream()
_local = threading.local()


def current_stream(_device: Any = None) -> Stream:
    stream: Stream = getattr(_local, "stream", DEFAULT)
    return stream


def is_recording() -> bool:
    return TIMELINE.recording is not None and TIMELINE.recording[1] == current_stream().id


@contextmanager
def on_stream(stream: Stream | None) -> Iterator[None]:
    _local.stream, before = stream or current_stream(), current_stream()
    try:
        yield
    finally:
        _local.stream = before


def synchronize(_device: Any = None) -> None:
    with LOCK:
        TIMELINE.forbid("synchronization of the device")
        note("wait", "the host waits for the device")
        merge(TIMELINE.host, *TIMELINE.streams.values())
