"""Two forms of a core: compiled by torch, and captured as CUDA graphs."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.errors import DeviceLost
from mashup_worker.models.device import is_out_of_memory
from mashup_worker.models.streams import stream_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from mashup_worker.models.network import Core

logger = logging.getLogger(__name__)

_REASON_CHARACTERS = 200

_WARM_UP_RUNS = 3
"""In the first runs, libraries choose algorithms and allocate, which can't be captured."""


_Shapes = tuple[torch.Size, ...]


def _shapes(inputs: tuple[Tensor, ...]) -> _Shapes:
    return tuple(one.shape for one in inputs)


class CompiledCore:
    """A core that torch compiles for each shape at the first call with it.

    If compilation fails, for want of a C compiler or otherwise, the core runs uncompiled from then
    on, with a warning in the log.
    """

    def __init__(self, core: Core) -> None:
        self._plain = core
        self._core: Core = torch.compile(core, fullgraph=True, dynamic=False)
        self._shapes: set[_Shapes] = set()

    @property
    def is_compiled(self) -> bool:
        """Whether it has run, and every call ran compiled."""
        return bool(self._shapes) and self._core is not self._plain

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `NetworkCore`."""
        shapes = _shapes(inputs)
        compiles = shapes not in self._shapes
        try:
            with _no_warning_raised() if compiles else nullcontext():
                made = self._core(*inputs)
        except Exception as error:  # dynamo, inductor, triton and the C compiler raise many kinds
            if self._core is self._plain or is_out_of_memory(error):
                raise
            reason = " ".join(str(error).split())[:_REASON_CHARACTERS] or type(error).__name__
        else:
            self._shapes.add(shapes)
            return made
        # The error is gone here, and so are the tensors of the frames that it came through.
        logger.warning("running uncompiled, which is slower: %s", reason)
        self._core = self._plain
        return self._plain(*inputs)


def reset_compiler() -> None:
    """Drop everything that torch has compiled in this process.

    torch compiles at most eight variants of one function, dead networks' included. Networks still
    in use are compiled again at their next call.
    """
    if "torch._dynamo" in sys.modules:  # takes a second to import
        with _no_warning_raised():  # it may import the rest of the compiler
            torch.compiler.reset()


@contextmanager
def _no_warning_raised() -> Iterator[None]:
    """Raise no warning in the block as an error: one of torch's would end a compilation.

    Filters belong to the process, and other threads may come to keep these for longer than the
    block. So they are nearly those that Python starts with.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        # inductor advises to allow TF32, which is off because fp32 must be exact.
        warnings.filterwarnings("ignore", "TensorFloat32 tensor cores", UserWarning)
        yield


@dataclass(frozen=True, eq=False)
class _Recording:
    """A CUDA graph for one batch shape, with the tensors that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class CapturedCore:
    """A core as CUDA graphs, one for each batch size, recorded at the first call with that size.

    The next call overwrites the output: use it before, on the same stream. A process can make one
    recording at a time, so only one thread at a time may call captured cores.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._recordings: dict[_Shapes, _Recording] = {}

    @property
    def is_captured(self) -> bool:
        """Whether it holds a recording."""
        return bool(self._recordings)

    def forget(self) -> None:
        """Release the memory of all recordings; sizes still in use are recorded again."""
        self._recordings.clear()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `NetworkCore`.

        Raises:
            DeviceLost: a recording could not be ended.
        """
        shapes = _shapes(inputs)
        recording = self._recordings.get(shapes)
        if recording is None:
            recording = self._recordings[shapes] = self._record(inputs)
        for kept, given in zip(recording.inputs, inputs, strict=True):
            kept.copy_(given)
        recording.graph.replay()
        return recording.outputs

    def _record(self, given: tuple[Tensor, ...]) -> _Recording:
        inputs = tuple(one.clone() for one in given)
        device = inputs[0].device
        caller = torch.cuda.current_stream(device)
        # Recordings of one stream share its workspaces: all of a device are replayed on one stream.
        stream = stream_for(device, "recording")
        stream.wait_stream(caller)
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_RUNS):
                self._core(*inputs)
            graph = torch.cuda.CUDAGraph()
            with _recording(graph, stream, self._pool()):
                outputs = self._core(*inputs)
        caller.wait_stream(stream)
        return _Recording(graph, inputs, outputs)

    def _pool(self) -> torch.cuda._POOL_HANDLE | None:
        """Memory that all recordings share, since no two of them run at once."""
        for recording in self._recordings.values():
            return recording.graph.pool()
        return None


@contextmanager
def _recording(
    graph: torch.cuda.CUDAGraph, stream: torch.cuda.Stream, pool: torch.cuda._POOL_HANDLE | None
) -> Iterator[None]:
    """Record the block into `graph`; errors raised in the block pass through.

    Raises:
        DeviceLost: the recording could not be begun or ended. torch's allocator then goes on
            serving it, and every later allocation of this process may fail.
    """
    raised: BaseException | None = None
    try:
        # Other threads may use the device meanwhile: only this thread can spoil the recording.
        with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            try:
                yield
            except BaseException as error:
                raised = error
                raise
    except Exception as error:
        # Without memory for the finished graph, the recording itself has ended.
        if error is raised or "out of memory" in str(error):
            raise
        raise DeviceLost(f"{stream.device}: a CUDA graph could not be recorded: {error}") from error
