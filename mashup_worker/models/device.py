"""Which device runs the networks, and with what arithmetic."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from mashup_worker.errors import DeviceUnavailable, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["fp32", "tf32", "bf16", "fp16"]

HALF: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""What the half precisions keep numbers in."""

_CUDA = RLock()
"""Held by whoever launches networks, records them, or gives memory back: settings of arithmetic are
the process's, and nothing else may touch the allocator while kernels are recorded."""

_AMPERE = (8, 0)
"""First compute capability with bf16 and TF32 tensor cores."""

_VOLTA = (7, 0)
"""First compute capability with fp16 tensor cores."""


def resolve_device(requested: str) -> torch.device:
    """The device that `requested` (`auto`, `cpu`, `mps`, `cuda` or `cuda:N`) stands for.

    Raises:
        InvalidInput: the name means nothing.
        DeviceUnavailable: this machine has no such device.
    """
    if requested == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InvalidInput(f"unknown device {requested!r}: use auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda":
        index = device.index or 0
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            raise DeviceUnavailable(f"no CUDA device {requested!r} here: see `mashup doctor`")
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceUnavailable("no MPS device here: it needs a Mac with Apple silicon")
    return device


def resolve_precision(requested: str, device: torch.device) -> Precision:
    """The arithmetic that `requested` (`auto` or a `Precision`) stands for on `device`.

    `auto` is the fastest that stays within 40 dB of fp32: bf16 where the hardware multiplies it
    natively, fp16 on the older CUDA devices that have tensor cores for nothing else, fp32
    elsewhere.

    Raises:
        InvalidInput: the name means nothing, or not on this device.
    """
    if requested == "auto":
        return _fastest_precision(device)
    if requested not in get_args(Precision):
        raise InvalidInput(
            f"unknown precision {requested!r}: use auto, {', '.join(get_args(Precision))}"
        )
    if requested == "tf32" and device.type != "cuda":
        raise InvalidInput(f"tf32 is arithmetic of CUDA devices, not of {device.type}")
    if requested == "fp16" and device.type == "cpu":
        raise InvalidInput("fp16 is arithmetic of GPUs: a CPU has bf16, or emulates fp16 slowly")
    return requested  # type: ignore[return-value]


def _fastest_precision(device: torch.device) -> Precision:
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= _AMPERE:
            return "bf16"
        return "fp16" if capability >= _VOLTA else "fp32"
    if device.type == "cpu" and cpu_multiplies_bf16():
        return "bf16"
    return "fp32"


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bf16 products (AVX512-BF16 or AMX)."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@contextmanager
def arithmetic(
    precision: Precision, device: torch.device, *, autocast: bool = True
) -> Iterator[None]:
    """Run what is inside without gradients and with `precision`, then restore what was set.

    Half precisions go through autocast, which leaves transforms and statistics in fp32, unless
    `autocast` is off because the networks inside see to it themselves. What is fp32 is exact: on
    CUDA that turns TF32 convolutions off, which are on by default.
    """
    knobs: tuple[Any, ...] = (
        torch.backends.cuda.matmul,
        torch.backends.cudnn.conv,  # type: ignore[attr-defined]
        torch.backends.cudnn.rnn,
    )
    half = HALF.get(precision) if autocast else None
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.autocast(device.type, dtype=half, enabled=half is not None))
        if device.type == "cuda":
            stack.enter_context(_CUDA)
            stack.callback(setattr, torch.backends.cudnn, "benchmark", _searches())
            torch.backends.cudnn.benchmark = True  # shapes come again and again
            for knob in knobs:
                stack.callback(setattr, knob, "fp32_precision", knob.fp32_precision)
                knob.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield


def _searches() -> bool:
    return bool(torch.backends.cudnn.benchmark)


_OUT_OF_MEMORY_SIGNS = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "alloc_failed",
)
"""What torch says of the host, of MPS, and of CUDA with cuBLAS, cuDNN and cuFFT."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that a device or the host ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(
        sign in str(error).lower() for sign in _OUT_OF_MEMORY_SIGNS
    ):
        return True
    # A recording that runs out of memory ends with an error of its own.
    return error.__context__ is not None and is_out_of_memory(error.__context__)


def release_memory(device: torch.device) -> None:
    """Give cached blocks back to the device, so that a smaller batch finds room."""
    if device.type == "cuda":
        with _CUDA:
            torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
