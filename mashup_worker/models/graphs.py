"""A core compiled, and its kernels recorded: launching them then costs the host nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.models.device import is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.htdemucs.network import Core

logger = logging.getLogger(__name__)

_REASON_CHARACTERS = 200

_WARM_UP_RUNS = 3
"""Libraries choose algorithms and make room in the first runs, which can't be recorded."""


class CompiledCore:
    """A core compiled by torch when it is first called, for the shapes that it is called with.

    Where torch can't compile it, for want of a compiler or otherwise, it runs as it is.
    """

    def __init__(self, core: Core) -> None:
        self._plain = core
        self._core: Core = torch.compile(core, fullgraph=True, dynamic=False)

    def __call__(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """See `HybridCore.forward`."""
        try:
            return self._core(x, xt)
        except RuntimeError as error:
            from torch._dynamo.exc import TorchDynamoException  # takes a second to import

            if not isinstance(error, TorchDynamoException) or is_out_of_memory(error):
                raise
            reason = " ".join(str(error).split())[:_REASON_CHARACTERS]
            logger.warning("not compiled, and slower for it: %s", reason)
            self._core = self._plain
            return self._core(x, xt)


@dataclass(frozen=True, eq=False)
class _Recording:
    """One batch shape: where its input goes, and where its output comes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, Tensor]
    outputs: tuple[Tensor, Tensor]


class CapturedCore:
    """A core as CUDA graphs, one for each batch size, recorded when a size is first seen.

    What it returns is overwritten by the next call: use it on the same stream, before that. One
    thread at a time may call any of them, since a process can make one recording at a time.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._recordings: dict[torch.Size, _Recording] = {}
        self._stream: torch.cuda.Stream | None = None

    def forget(self) -> None:
        """Give the memory of all recordings back; what is needed is recorded again."""
        self._recordings.clear()

    def __call__(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """See `HybridCore.forward`."""
        recording = self._recordings.get(x.shape)
        if recording is None:
            recording = self._recordings[x.shape] = self._record(x, xt)
        for kept, given in zip(recording.inputs, (x, xt), strict=True):
            kept.copy_(given)
        recording.graph.replay()
        return recording.outputs

    def _record(self, x: Tensor, xt: Tensor) -> _Recording:
        inputs = x.clone(), xt.clone()
        caller = torch.cuda.current_stream(x.device)
        # One of its own for each core: torch's is one for all devices, and so are workspaces on it.
        stream = self._stream = self._stream or torch.cuda.Stream(x.device)
        stream.wait_stream(caller)
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_RUNS):
                self._core(*inputs)
        graph = torch.cuda.CUDAGraph()
        # Other threads may move sound to the device meanwhile: only this one's mistakes count.
        with torch.cuda.graph(
            graph, pool=self._pool(), stream=stream, capture_error_mode="thread_local"
        ):
            outputs = self._core(*inputs)
        caller.wait_stream(stream)
        return _Recording(graph, inputs, outputs)

    def _pool(self) -> torch.cuda._POOL_HANDLE | None:
        """Memory that all recordings share, since no two of them run at once."""
        for recording in self._recordings.values():
            return recording.graph.pool()
        return None
