"""Memory of the fake device: its tensors, the streams that use them, and running out of it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch

from tests.fake_cuda.findings import LOCK, here, note
from tests.fake_cuda.streams import DEVICE, TIMELINE, current_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_cuda.streams import Clock, Stream

TOTAL_BYTES = 80 << 30


class Block:
    """Memory that tensors of the device share, or pinned memory of the host.

    Args:
        size_bytes: its size.
        stream: the stream that it is allocated on; None for the host.
    """

    def __init__(self, size_bytes: int, stream: Stream | None) -> None:
        self.size_bytes, self.stream, self.place = size_bytes, stream, here()
        self.recorded = stream is not None and TIMELINE.graph(stream) is not None
        self.kept_for: set[int] = set()
        self._reads: dict[int, tuple[int, str]] = {}
        self._writes: dict[int, tuple[int, str]] = {}

    def use(self, stream: Stream | None, clock: Clock, place: str, *, writes: bool) -> None:
        """Record a use by a stream, or by the host for None, that begins after `clock`."""
        for uses in (self._reads, self._writes) if writes else (self._writes,):
            for other, (launch, used) in uses.items():
                if clock.get(other, 0) < launch:
                    note("race", f"memory that another stream may still use, at {used}", place)
        if stream is not None:
            (self._writes if writes else self._reads)[stream.id] = clock[stream.id], place

    def __del__(self) -> None:
        if self.stream is None:
            return
        with LOCK:
            MEMORY.allocated_bytes -= self.size_bytes
            clock = TIMELINE.clock(self.stream)
            for other, (launch, used) in [*self._reads.items(), *self._writes.items()]:
                unknown = other not in self.kept_for and clock.get(other, 0) < launch
                if unknown and not self.recorded:
                    note("race", f"freed without record_stream after its use at {used}", self.place)


class Memory:
    """The blocks in use, and what torch's allocator reports."""

    def __init__(self) -> None:
        self.total_bytes = TOTAL_BYTES
        self.allocated_bytes = self.peak_bytes = 0
        self.runs_out: Callable[[tuple[torch.Size, ...], bool], bool] = lambda *_: False
        self._blocks: dict[int, weakref.ref[Block]] = {}
        self.pinned_blocks: dict[int, Block] = {}

    def block(self, inner: torch.Tensor) -> Block:
        """Return the block that holds a tensor of the device, a new one for new memory."""
        storage = inner.untyped_storage()
        known = self._blocks.get(storage._cdata)
        block = known() if known else None
        if block is None:
            if self.allocated_bytes + storage.nbytes() > self.total_bytes:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate too much.")
            block = Block(storage.nbytes(), current_stream())
            self._blocks[storage._cdata] = weakref.ref(block)
            self.allocated_bytes += block.size_bytes
            self.peak_bytes = max(self.peak_bytes, self.allocated_bytes)
        return block

    def pin(self, host: torch.Tensor) -> torch.Tensor:
        """Mark new memory of the host as pinned."""
        TIMELINE.forbid("allocation of pinned memory", current_stream())
        storage = host.untyped_storage()
        self.pinned_blocks[storage._cdata] = Block(storage.nbytes(), None)
        weakref.finalize(storage, self.pinned_blocks.pop, storage._cdata)
        return host

    def pinned(self, host: torch.Tensor) -> Block | None:
        """Return the block of a tensor in pinned memory; None for pageable memory."""
        if not self.pinned_blocks or host.device.type != "cpu":
            return None
        return self.pinned_blocks.get(host.untyped_storage()._cdata)

    def free_and_total(self, _device: Any = None) -> tuple[int, int]:
        return self.total_bytes - self.allocated_bytes, self.total_bytes

    def reset_peak(self, _device: Any = None) -> None:
        self.peak_bytes = self.allocated_bytes


MEMORY = Memory()


def out_of_memory(when: Callable[[tuple[torch.Size, ...], bool], bool]) -> Any:
    """Return a context in which launches fail for want of memory.

    Args:
        when: called before each launch with the shapes of its tensors on the device and whether it
            is recorded into a graph; True makes it fail.
    """
    return mock.patch.object(MEMORY, "runs_out", when)


class CudaTensor(torch.Tensor):
    """A tensor on the device, whose numbers are those of `numbers`, a tensor on the CPU."""

    numbers: torch.Tensor
    block: Block

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, inner: torch.Tensor, block: Block | None = None) -> CudaTensor:
        options: dict[str, Any] = {"dtype": inner.dtype, "device": DEVICE}
        options |= {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        made: CudaTensor = torch.Tensor._make_wrapper_subclass(cls, inner.size(), **options)
        made.numbers, made.block = inner, block or MEMORY.block(inner)
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        from tests.fake_cuda.operators import dispatch

        return dispatch(func, args, kwargs or {})

    def __repr__(self, **_options: Any) -> str:  # type: ignore[override]
        return f"CudaTensor({self.numbers!r})"

    def __deepcopy__(self, _memo: Any) -> torch.Tensor:
        return self.clone()

    def record_stream(self, stream: Stream) -> None:  # type: ignore[override]
        self.block.kept_for.add(stream.id)

    def tolist(self) -> Any:
        return self.cpu().tolist()
