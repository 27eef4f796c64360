"""Devices, their precisions, and their errors."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import TYPE_CHECKING, Literal, get_args

import torch

from mashup_worker.errors import DeviceLost, DeviceUnavailable, InvalidInput, OutOfMemory
from mashup_worker.models.fp32 import exact_unless_set

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["fp32", "tf32", "bf16", "fp16"]

HALF: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Types of the half precisions."""

_CUDA = RLock()
"""Held by the thread that launches networks, records them, or releases memory: nothing else may
touch the allocator while kernels are recorded."""

_AMPERE = (8, 0)
"""First compute capability with bf16 and TF32 tensor cores."""

_VOLTA = (7, 0)
"""First compute capability with fp16 tensor cores."""


def resolve_device(requested: str) -> torch.device:
    """Return the device that `requested` (`auto`, `cpu`, `mps`, `cuda` or `cuda:N`) stands for.

    A process that uses a CUDA device computes float32 exactly from then on; see `fp32`.

    Raises:
        InvalidInput: the name means nothing.
        DeviceUnavailable: this machine has no such device.
    """
    if requested == "auto":
        if torch.cuda.is_available():
            exact_unless_set()
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InvalidInput(f"{requested}: unknown device; use auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda":
        index = device.index or 0
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            raise DeviceUnavailable(f"{requested}: no such device here; see `mashup doctor`")
        exact_unless_set()
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceUnavailable("mps: no such device here; it needs a Mac with Apple silicon")
    return device


def resolve_precision(requested: str, device: torch.device) -> Precision:
    """Return the arithmetic that `requested` (`auto` or a `Precision`) stands for on `device`.

    `auto` is the fastest that stays within 40 dB of fp32: bf16 where the hardware multiplies it
    natively, fp16 on the older CUDA devices that have tensor cores for nothing else, fp32
    elsewhere.

    Raises:
        InvalidInput: the name is unknown, or the device does not support the arithmetic.
    """
    if requested == "auto":
        return _fastest_precision(device)
    if requested not in get_args(Precision):
        raise InvalidInput(
            f"precision {requested!r}: unknown; use auto, {', '.join(get_args(Precision))}"
        )
    if requested == "tf32" and device.type != "cuda":
        raise InvalidInput(f"tf32: not supported by {device.type}; use auto or fp32")
    if requested == "fp16" and device.type == "cpu":
        raise InvalidInput("fp16: slow on a CPU; use auto, bf16 or fp32")
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
    """Return whether this CPU has instructions for bf16 products (AVX512-BF16 or AMX)."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@contextmanager
def arithmetic(
    precision: Precision, device: torch.device, *, autocast: bool = True
) -> Iterator[None]:
    """Run networks in the block without gradients and with `precision`, one thread at a time.

    Half precisions go through autocast, which leaves transforms and statistics in fp32, unless
    `autocast` is off because the networks cast themselves. On CUDA, what fp32 means is a setting
    of the process, which this leaves alone: see `fp32`.
    """
    half = HALF.get(precision) if autocast else None
    one_thread = _CUDA if device.type == "cuda" else nullcontext()
    autocasting = torch.autocast(device.type, dtype=half, enabled=half is not None)
    with one_thread, torch.no_grad(), autocasting:
        yield


@contextmanager
def searching_algorithms(device: torch.device) -> Iterator[None]:
    """Let cuDNN compare its algorithms for each shape that a convolution meets in the block.

    cuDNN keeps the results by thread, so every thread searches again. Use it in the
    thread that records networks, before others use the device: recordings keep the algorithms.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


_OUT_OF_MEMORY_SIGNS = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "alloc_failed",
    "allocation_failed",
)
"""How torch, cuBLAS, cuFFT, cuDNN and MPS report that memory ran out."""

_DISGUISES = (
    "unable to find an engine to execute this computation",
    "unable to find a valid cudnn algorithm",
    "cudnn_status_internal_error",
    "cudnn_status_not_initialized",
    "cublas_status_not_initialized",
    "cufft_internal_error",
)
"""How they report that a workspace, a handle or a kernel could not be loaded, for want of memory or
for another reason. torch tries one cuDNN algorithm after the other and drops the reason why each
failed."""

_SHORT_OF_MEMORY_BYTES = 1 << 30
"""Free memory above which a disguise hides another reason: some algorithms need no workspace, and
handles and kernels need some hundred MB. A smaller batch would not help there, and an error about
memory would send people the wrong way."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether `error` reports that a device or the host ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError | OutOfMemory):
        return True
    if isinstance(error, DeviceLost):
        return False
    if isinstance(error, RuntimeError):
        text = str(error).lower()
        if any(sign in text for sign in _OUT_OF_MEMORY_SIGNS):
            return True
        if any(sign in text for sign in _DISGUISES) and _is_short_of_memory():
            return True
    # A recording that runs out of memory ends with an error of its own.
    return error.__context__ is not None and is_out_of_memory(error.__context__)


def _is_short_of_memory() -> bool:
    """Return whether a CUDA device that this process uses has hardly any memory left."""
    if not torch.cuda.is_initialized():
        return False
    # Asking a device that is not in use would start it, which takes some hundred MB of its memory.
    used = [one for one in range(torch.cuda.device_count()) if torch.cuda.memory_reserved(one)]
    try:
        return any(torch.cuda.mem_get_info(one)[0] < _SHORT_OF_MEMORY_BYTES for one in used)
    except RuntimeError:  # the device does not answer any more
        return False


_LOST_SIGNS = ("cuda error", "device-side assert", "acceleratorerror")
"""How torch reports that a process cannot use its device any more."""


def is_device_lost(error: BaseException) -> bool:
    """Return whether `error` leaves the device unusable to this process."""
    if isinstance(error, DeviceLost):
        return True
    if is_out_of_memory(error):
        return False
    text = f"{type(error).__name__} {error} {error.__cause__}".lower()
    return any(sign in text for sign in _LOST_SIGNS)


@contextmanager
def device_errors(device: torch.device | str, work: str) -> Iterator[None]:
    """Raise torch's errors about the device as this package's.

    Raises:
        OutOfMemory: the device or the host has too little memory for `work`, such as `this song`.
        DeviceLost: this process cannot use the device any more.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            on_host = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)
            place = "this machine" if on_host else device
            raise OutOfMemory(f"{place}: too little memory for {work}") from error
        if is_device_lost(error):
            reason = str(error).strip().partition("\n")[0]
            raise DeviceLost(f"{device}: lost to this process: {reason}") from error
        raise


def release_memory(device: torch.device) -> None:
    """Return cached blocks to the device, so that a smaller batch fits."""
    if device.type == "cuda":
        with _CUDA:
            torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
