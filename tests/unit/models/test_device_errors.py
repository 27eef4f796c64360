"""Errors of devices: memory that ran out, in all its disguises, and devices that are lost."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.errors import DeviceLost, OutOfMemory
from mashup_worker.models.device import device_errors, is_device_lost, is_out_of_memory

CPU = torch.device("cpu")
GIB = 1 << 30


@pytest.fixture
def free_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Free memory of three CUDA devices, of which the process uses the second only."""
    free = [0, 40 * GIB, 0]

    def mem_get_info(index: int) -> tuple[int, int]:
        assert index == 1, "asking a device that is not in use takes memory from it"
        return free[index], 80 * GIB

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: [0, GIB, 0][index])
    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    return free


@pytest.mark.usefixtures("free_bytes")
@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB.",
        "CUDA error: out of memory",
        "MPS backend out of memory (MPS allocated: 9 GB)",
        "cuFFT error: CUFFT_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.",
    ],
)
def test_out_of_memory_is_recognized_for_each_library(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))
    assert not is_device_lost(RuntimeError(message))


@pytest.mark.parametrize(
    "message",
    [
        "GET was unable to find an engine to execute this computation",
        "FIND was unable to find an engine to execute this computation",
        "Unable to find a valid cuDNN algorithm to run convolution",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
        "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuFFT error: CUFFT_INTERNAL_ERROR",
    ],
)
def test_a_disguise_is_seen_through_where_memory_is_short(
    message: str, free_bytes: list[int]
) -> None:
    """With memory to spare the reason is another, and smaller batches would not help."""
    assert not is_out_of_memory(RuntimeError(message))
    free_bytes[1] = GIB // 2
    assert is_out_of_memory(RuntimeError(message))


def test_without_cuda_a_disguise_is_no_shortage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert not is_out_of_memory(
        RuntimeError("unable to find an engine to execute this computation")
    )


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), OutOfMemory, "cuda:0: too little"),
        (MemoryError(), OutOfMemory, "this machine: too little memory for this song"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            OutOfMemory,
            "this machine: too little",
        ),
        (
            RuntimeError("CUDA error: an illegal memory access was encountered\nMore about it."),
            DeviceLost,
            "illegal memory access was encountered$",
        ),
        (RuntimeError("wrong channels"), RuntimeError, "wrong channels"),
        (DeviceLost("cuda:0: a recording failed"), DeviceLost, "a recording failed"),
    ],
)
def test_they_are_raised_as_the_packages_own(
    error: Exception, expected: type[Exception], message: str
) -> None:
    with pytest.raises(expected, match=message) as caught, device_errors("cuda:0", "this song"):
        raise error
    assert type(caught.value) is expected


def test_a_lost_device_is_no_shortage_though_one_led_to_it() -> None:
    try:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        except RuntimeError:
            raise DeviceLost  # noqa: B904 - as it happens inside torch
    except DeviceLost as error:
        lost = error
    assert not is_out_of_memory(lost)
    assert is_device_lost(lost)
