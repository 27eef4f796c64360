"""Puts the fake device into torch, and takes it out again."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from torch.nn import functional as F

from tests.fake_cuda import graphs, operators, streams
from tests.fake_cuda.findings import FOUND
from tests.fake_cuda.memory import MEMORY, TOTAL_BYTES
from tests.fake_cuda.profile import Profile
from tests.fake_cuda.tensor import CudaTensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fake_cuda.findings import Findings

NAME = "Fake GPU"

_COMMANDS = Path(__file__).parent / "bin"
"""Holds an `nvidia-smi` that prints the version of a driver."""

_plain_attention = F.scaled_dot_product_attention
_plain_numpy = torch.Tensor.numpy
_plain_run = threading.Thread.run


@contextmanager
def pretend() -> Iterator[Findings]:
    """Let the process see one CUDA device; yields what the device finds."""
    with ExitStack() as stack:
        for owner, name, replacement in _replacements():
            stack.enter_context(mock.patch.object(owner, name, replacement))
        path = f"{_COMMANDS}{os.pathsep}{os.environ.get('PATH', '')}"
        stack.enter_context(mock.patch.dict(os.environ, PATH=path))
        overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwrites)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        torch._C._ensureCUDADeviceGuardSet()
        stack.enter_context(_watched())
        yield FOUND


@contextmanager
def _watched() -> Iterator[None]:
    """Check what the calling thread does."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # or `torch.tensor(…, device="cuda")` asks the driver
    try:
        with operators.Watch():
            yield
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


def _run_thread(thread: threading.Thread) -> None:
    with _watched():
        _plain_run(thread)


def _attention(query: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(query, CudaTensor):
        return _plain_attention(query, *args, **kwargs)
    return operators.run(_plain_attention, (query, *args), kwargs)


def _pin_memory(tensor: torch.Tensor, _device: object = None) -> torch.Tensor:
    if isinstance(tensor, CudaTensor):
        FOUND.fail("only memory of the CPU can be pinned")
    return tensor if MEMORY.pinned(tensor) else MEMORY.pin(tensor.clone())


def _is_pinned(tensor: torch.Tensor, _device: object = None) -> bool:
    return not isinstance(tensor, CudaTensor) and MEMORY.pinned(tensor) is not None


def _numpy(tensor: torch.Tensor, **options: Any) -> Any:
    operators.host_use(tensor)
    return _plain_numpy(tensor, **options)


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    """Yield owner, name and replacement of everything that asks for a device."""
    properties = SimpleNamespace(
        name=NAME, major=9, minor=0, total_memory=TOTAL_BYTES, multi_processor_count=132
    )
    for name, value in {
        "_lazy_init": None,
        "device_count": 1,
        "current_device": 0,
        "is_available": True,
        "is_initialized": True,
        "is_bf16_supported": True,
        "manual_seed": None,
        "manual_seed_all": None,
        "set_device": None,
        "set_rng_state": None,
        "get_device_capability": (9, 0),
        "get_device_name": NAME,
        "get_device_properties": properties,
        "default_stream": streams.DEFAULT,
        "is_current_stream_capturing": False,
    }.items():
        yield torch.cuda, name, lambda *_, _value=value, **__: _value
    for name, call in {
        "get_rng_state": lambda *_: torch.zeros(16, dtype=torch.uint8),
        "is_current_stream_capturing": lambda: streams.TIMELINE.recording is not None,
        "mem_get_info": MEMORY.free_and_total,
        "memory_allocated": lambda *_: MEMORY.allocated_bytes,
        "memory_reserved": lambda *_: MEMORY.reserved_bytes,
        "max_memory_allocated": lambda *_: MEMORY.peak_bytes,
        "max_memory_reserved": lambda *_: MEMORY.peak_bytes,
        "reset_peak_memory_stats": MEMORY.reset_peak,
        "empty_cache": MEMORY.empty_cache,
        "synchronize": streams.synchronize,
        "Stream": streams.Stream,
        "Event": streams.Event,
        "stream": streams.on_stream,
        "current_stream": streams.current_stream,
        "CUDAGraph": graphs.Graph,
        "graph": graphs.record,
        "graph_pool_handle": graphs.Pool,
    }.items():
        yield torch.cuda, name, call
    yield F, "scaled_dot_product_attention", _attention
    yield torch.Tensor, "pin_memory", _pin_memory
    yield torch.Tensor, "is_pinned", _is_pinned
    yield torch.Tensor, "numpy", _numpy
    yield torch.profiler, "profile", Profile
    yield threading.Thread, "run", _run_thread
