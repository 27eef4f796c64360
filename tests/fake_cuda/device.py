"""Puts the fake device into torch, and takes it out again."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from torch.nn import functional as F

from tests.fake_cuda import graphs, operators, streams
from tests.fake_cuda.findings import LOCK, fail
from tests.fake_cuda.memory import MEMORY, TOTAL_BYTES, CudaTensor

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "Fake GPU"

_COMMANDS = Path(__file__).parent / "bin"
"""Holds an `nvidia-smi` that prints the version of a driver."""

_plain_attention = F.scaled_dot_product_attention
_plain_numpy = torch.Tensor.numpy
_plain_run = threading.Thread.run


@contextmanager
def pretend() -> Iterator[None]:
    """Let the process see one CUDA device. Enter it in the main thread, before others start."""
    conversion = torch.__future__.get_overwrite_module_params_on_conversion()
    with ExitStack() as stack:
        for owner, replacements in _replacements().items():
            stack.enter_context(mock.patch.multiple(owner, **replacements))
        path = f"{_COMMANDS}{os.pathsep}{os.environ.get('PATH', '')}"
        stack.enter_context(mock.patch.dict(os.environ, PATH=path))
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, conversion)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        torch._C._ensureCUDADeviceGuardSet()
        streams.TIMELINE.renew_pool()
        stack.enter_context(_watched())
        yield


@contextmanager
def _watched() -> Iterator[None]:
    """Watch the operators of the calling thread."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # else `torch.tensor` asks the driver
    try:
        with operators.Watch():  # type: ignore[no-untyped-call]
            yield
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


def _run_thread(thread: threading.Thread) -> None:
    with _watched():
        _plain_run(thread)


def _attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, *args: Any, **options: Any
) -> Any:
    if not isinstance(query, CudaTensor):  # torch asks the driver which kernel it has
        return _plain_attention(query, key, value, attn_mask, *args, **options)
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    arguments, options = (query, key, value, *args), {"attn_mask": attn_mask, **options}
    with LOCK:
        return operators.run(kernel, arguments, options, [*arguments, attn_mask])[0]


def _pin_memory(tensor: torch.Tensor, _device: Any = None) -> torch.Tensor:
    if isinstance(tensor, CudaTensor):
        fail("only memory of the CPU can be pinned")
    return tensor if MEMORY.pinned(tensor) else MEMORY.pin(tensor.clone())


def _numpy(tensor: torch.Tensor, **options: Any) -> Any:
    operators.use_on_host([tensor], writes=False)
    return _plain_numpy(tensor, **options)


def _replacements() -> dict[Any, dict[str, Any]]:
    """Return what stands in for everything that asks for a device, by its module or class."""
    properties = SimpleNamespace(name=NAME, major=9, minor=0, total_memory=TOTAL_BYTES)
    answers: dict[str, Any] = {
        "is_available": True,
        "is_initialized": True,
        "device_count": 1,
        "current_device": 0,
        "default_stream": streams.DEFAULT,
        "get_device_name": NAME,
        "get_device_capability": (9, 0),
        "get_device_properties": properties,
        **dict.fromkeys(("_lazy_init", "manual_seed_all", "set_rng_state")),
    }
    cuda: dict[str, Any] = {
        "get_rng_state": lambda *_: torch.zeros(16, dtype=torch.uint8),
        "mem_get_info": MEMORY.free_and_total,
        "memory_allocated": lambda *_: MEMORY.allocated_bytes,
        "memory_reserved": lambda *_: MEMORY.allocated_bytes,
        "max_memory_reserved": lambda *_: MEMORY.peak_bytes,
        "reset_peak_memory_stats": MEMORY.reset_peak,
        "is_current_stream_capturing": streams.is_recording,
        "empty_cache": lambda: streams.TIMELINE.forbid("release of cached memory"),
        "synchronize": streams.synchronize,
        "Stream": streams.Stream,
        "Event": streams.Event,
        "stream": streams.on_stream,
        "current_stream": streams.current_stream,
        "CUDAGraph": graphs.Graph,
        "graph": graphs.record,
    }
    cuda |= {name: lambda *_, value=value: value for name, value in answers.items()}
    return {
        torch.cuda: cuda,
        torch.Tensor: {"pin_memory": _pin_memory, "numpy": _numpy},
        torch: {"compile": lambda function, **_: partial(function)},
        F: {"scaled_dot_product_attention": _attention},
        threading.Thread: {"run": _run_thread},
    }
