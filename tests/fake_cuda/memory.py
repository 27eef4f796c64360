"""Memory of the fake device: which stream uses it, how much is taken, and running out of it."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tests.fake_cuda.findings import FOUND, LOCK, Place, here
from tests.fake_cuda.streams import TIMELINE, Stream, current_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fake_cuda.streams import Clock

TOTAL_BYTES = 80 << 30


class Block:
    """A piece of memory, of the device or pinned on the host, for as long as tensors refer to it.

    Args:
        size_bytes: its size.
        stream: the stream that it was allocated on; None for memory of the host.
    """

    def __init__(self, size_bytes: int, stream: Stream | None) -> None:
        self.place = here()
        self.size_bytes = size_bytes
        self.recorded = TIMELINE.recording is not None and TIMELINE.recording.stream == stream
        self.used_on: set[int] = set()
        self._stream = stream
        self._writes: dict[int, tuple[int, Place]] = {}
        self._uses: dict[int, tuple[int, Place]] = {}

    def use(self, stream: Stream | None, clock: Clock, *, writes: bool) -> None:
        """Record a use by a stream, or by the host for None, that happens after `clock`."""
        place, action = here(), "written" if writes else "read"
        for other, (launch, used) in (self._uses if writes else self._writes).items():
            if clock.get(other, 0) < launch:
                message = f"memory is {action} while another stream may still use it, at {used}"
                FOUND.add("race", message, place)
        if stream is not None:
            self._uses[stream.id] = clock[stream.id], place
            if writes:
                self._writes[stream.id] = clock[stream.id], place

    def __del__(self) -> None:
        if self._stream is None:
            return
        with LOCK:
            MEMORY.allocated_bytes -= self.size_bytes
            if self.recorded:  # memory of a graph's pool, which no one else gets
                return
            clock = TIMELINE.clock(self._stream)
            for stream, (launch, place) in self._uses.items():
                surely_ended = clock.get(stream, 0) >= launch
                if stream != self._stream.id and stream not in self.used_on and not surely_ended:
                    message = f"memory is freed without record_stream for its use at {place}"
                    FOUND.add("race", message, self.place)


@dataclass(frozen=True)
class Launch:
    """A launch of kernels on the device.

    Attributes:
        operator: its name.
        shapes: shapes of the device's tensors that it reads or changes.
        recording: whether it is recorded into a graph.
    """

    operator: str
    shapes: tuple[torch.Size, ...]
    recording: bool


class Memory:
    """Blocks by the storage behind them, and figures of the allocator."""

    def __init__(self) -> None:
        self.total_bytes = TOTAL_BYTES
        self.allocated_bytes = 0
        self.reserved_bytes = 0
        self.peak_bytes = 0
        self.fails: Callable[[Launch], bool] | None = None
        self.broken = False
        self._blocks: weakref.WeakValueDictionary[int, Block] = weakref.WeakValueDictionary()
        self._pinned: dict[int, Block] = {}

    def block(self, inner: torch.Tensor) -> Block:
        """Return the block that holds a tensor of the device, a new one for new memory.

        Raises:
            torch.OutOfMemoryError: it does not fit.
        """
        storage = inner.untyped_storage()
        block = self._blocks.get(storage._cdata)
        if block is None:
            size_bytes = storage.nbytes()
            if self.allocated_bytes + size_bytes > self.total_bytes:
                self.run_out(size_bytes)
            block = self._blocks[storage._cdata] = Block(size_bytes, current_stream())
            self.allocated_bytes += size_bytes
            self.reserved_bytes = max(self.reserved_bytes, self.allocated_bytes)
            self.peak_bytes = max(self.peak_bytes, self.reserved_bytes)
        return block

    def pin(self, host: torch.Tensor) -> torch.Tensor:
        """Mark new memory of the host as pinned."""
        TIMELINE.forbid("allocation of pinned memory", current_stream())
        storage = host.untyped_storage()
        self._pinned[storage._cdata] = Block(storage.nbytes(), None)
        weakref.finalize(storage, self._pinned.pop, storage._cdata)
        return host

    def pinned(self, host: torch.Tensor) -> Block | None:
        """Return the block of pinned memory that holds a tensor of the host, if one does."""
        return self._pinned.get(host.untyped_storage()._cdata) if self._pinned else None

    def check(self, launch: Launch) -> None:
        """Run out of memory where a test wants it for this launch."""
        if self.fails is not None and self.fails(launch):
            self.run_out(0)

    def run_out(self, size_bytes: int) -> None:
        """Raise what torch raises where memory is exhausted."""
        raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size_bytes} bytes.")

    def empty_cache(self) -> None:
        """Give freed memory back to the device."""
        TIMELINE.forbid("release of cached memory")
        if self.broken:
            raise RuntimeError(
                "captures_underway.empty() INTERNAL ASSERT FAILED: a recording did not end"
            )
        self.reserved_bytes = self.allocated_bytes

    def free_and_total(self, _device: object = None) -> tuple[int, int]:
        """Return bytes, as `torch.cuda.mem_get_info` does."""
        return self.total_bytes - self.reserved_bytes, self.total_bytes

    def reset_peak(self, _device: object = None) -> None:
        """Let the peak start at what is reserved now."""
        self.peak_bytes = self.reserved_bytes


MEMORY = Memory()


@contextmanager
def out_of_memory(when: Callable[[Launch], bool]) -> Iterator[None]:
    """Run out of memory at every launch for which `when` holds."""
    before, MEMORY.fails = MEMORY.fails, when
    try:
        yield
    finally:
        MEMORY.fails = before
