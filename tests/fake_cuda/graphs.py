"""CUDA graphs: a recording is the list of its launches, which a replay runs again."""

from __future__ import annotations

import gc
import threading
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves

from tests.fake_cuda.findings import FOUND, LOCK
from tests.fake_cuda.memory import MEMORY
from tests.fake_cuda.streams import (
    TIMELINE,
    Recording,
    Stream,
    current_stream,
    on_stream,
    synchronize,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.fake_cuda.memory import Block
    from tests.fake_cuda.tensor import CudaTensor


@dataclass(frozen=True, eq=False)
class Step:
    """One launch of a recording: a function of tensors on the CPU.

    Attributes:
        made: the result, which a replay overwrites; None where the function changes its arguments.
    """

    function: Callable[..., Any]
    args: Any
    kwargs: Any
    made: Any

    def outputs(self) -> list[torch.Tensor]:
        return [one for one in tree_leaves(self.made) if isinstance(one, torch.Tensor)]

    def run(self) -> None:
        again = self.function(*self.args, **self.kwargs)
        if self.made is not None:
            fresh = [one for one in tree_leaves(again) if isinstance(one, torch.Tensor)]
            for old, new in zip(self.outputs(), fresh, strict=True):
                old.copy_(new)


class Pool:
    """Memory that graphs share, in the order in which they were recorded."""

    def __init__(self) -> None:
        self.graphs: list[weakref.ref[Graph]] = []


class Graph:
    """Stands in for `torch.cuda.CUDAGraph`."""

    def __init__(self, **_options: Any) -> None:
        self.shared = Pool()
        self.recorded = False
        self._steps: list[Step] = []
        self._own: list[Block] = []
        self._given: dict[int, weakref.ref[Block]] = {}

    def add(
        self, step: Step | None, read: Iterable[CudaTensor], written: Iterable[CudaTensor]
    ) -> None:
        """Record a launch."""
        if step is not None:
            self._steps.append(step)
        for one in (*read, *written):
            if not one.block.recorded:
                self._given[id(one.block)] = weakref.ref(one.block)
        self._own += [one.block for one in written if one.block.recorded]

    def pool(self) -> Pool:
        if not self.recorded:
            FOUND.fail("use of the pool of a graph that was not recorded")
        return self.shared

    def replay(self) -> None:
        if not self.recorded:
            FOUND.fail("replay of a graph that was not recorded")
        with LOCK:
            stream = current_stream()
            TIMELINE.records_on(stream)
            clock = TIMELINE.launch(stream)
            for given in self._given.values():
                block = given()
                if block is None:
                    FOUND.add("race", "a graph is replayed whose input memory was freed")
                else:
                    block.use(stream, clock, writes=False)
            for block in self._own:
                block.use(stream, clock, writes=True)
        with torch.no_grad():
            for step in self._steps:
                step.run()
            self._spoil_later()

    def reset(self) -> None:
        self._steps.clear()
        self._own.clear()
        self._given.clear()
        self.recorded = False

    def _spoil_later(self) -> None:
        """Overwrite results of graphs recorded later, which may lie in memory that this one uses."""
        graphs = [one() for one in self.shared.graphs]
        if self not in graphs:
            return
        for later in graphs[graphs.index(self) + 1 :]:
            for step in later._steps if later is not None else ():
                for output in step.outputs():
                    if output.is_floating_point() or output.is_complex():
                        output.fill_(torch.nan)


@contextmanager
def record(
    graph: Graph,
    pool: Pool | None = None,
    stream: Stream | None = None,
    capture_error_mode: str = "global",
) -> Iterator[None]:
    """Stand in for `torch.cuda.graph`."""
    synchronize()
    gc.collect()
    MEMORY.empty_cache()
    stream = stream or Stream()
    with LOCK:
        graph.shared = pool or graph.shared
        TIMELINE.recording = Recording(graph, stream, capture_error_mode, threading.get_ident())
    try:
        with on_stream(stream):
            yield
    finally:
        with LOCK:
            TIMELINE.recording = None
    graph.shared.graphs.append(weakref.ref(graph))
    graph.recorded = True
