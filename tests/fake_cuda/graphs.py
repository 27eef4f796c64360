"""CUDA graphs: a recording is the list of its launches, which a replay runs again."""

from __future__ import annotations

import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.utils._pytree import tree_leaves

from tests.fake_cuda import streams
from tests.fake_cuda.findings import LOCK, fail, here, note
from tests.fake_cuda.streams import TIMELINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.fake_cuda.memory import Block, CudaTensor


class Step(NamedTuple):
    """A recorded launch: a function of tensors on the CPU, and the new tensors that it made."""

    function: Callable[..., Any]
    args: Any
    kwargs: Any
    made: list[torch.Tensor]


class Graph:
    """Stands in for `torch.cuda.CUDAGraph`."""

    def __init__(self, **_options: Any) -> None:
        self._steps: list[Step] = []
        self._inputs: set[weakref.ref[Block]] = set()
        self._own: set[Block] = set()
        self._pool: list[weakref.ref[Graph]] = []

    def add(self, step: Step | None, used: Sequence[CudaTensor]) -> None:
        """Record a launch that uses these tensors."""
        self._steps += [step] if step else []
        self._own |= {one.block for one in used if one.block.recorded}
        self._inputs |= {weakref.ref(one.block) for one in used if not one.block.recorded}

    def pool(self) -> list[weakref.ref[Graph]]:
        """Return the graphs that share memory, in the order in which they were recorded."""
        return self._pool or fail("use of a graph that was not recorded")

    def replay(self) -> None:
        later = [one() for one in self.pool()[self.pool().index(weakref.ref(self)) + 1 :]]
        with LOCK, torch.no_grad():
            stream = streams.current_stream()
            clock = TIMELINE.clock(stream, launches=True)
            for block in [*self._own, *(reference() for reference in self._inputs)]:
                if block is None:
                    note("race", "the replayed graph uses memory that was freed")
                else:
                    block.use(stream, clock, here(), writes=block.recorded)
            for step in self._steps:
                again = tree_leaves(step.function(*step.args, **step.kwargs))
                for old, new in zip(step.made, again, strict=False):
                    old.copy_(new)
            for left in (
                left for graph in later if graph for step in graph._steps for left in step.made
            ):
                left.fill_(-77)  # their results may lie in memory that this graph uses


@contextmanager
def record(
    graph: Graph, pool: Any = None, stream: Any = None, capture_error_mode: str = "global"
) -> Iterator[None]:
    """Stand in for `torch.cuda.graph`."""
    streams.synchronize()
    stream = stream or streams.Stream()
    TIMELINE.recording = graph, stream.id, capture_error_mode, threading.get_ident()
    try:
        with streams.on_stream(stream):
            yield
    finally:
        TIMELINE.recording = None
    graph._pool = [] if pool is None else pool
    graph._pool.append(weakref.ref(graph))
