"""Batches fit the device's memory, and half precision stays within its number range."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mashup_worker.errors import OutOfMemory
from mashup_worker.models.device import is_out_of_memory
from mashup_worker.models.runner import NetworkRunner
from mashup_worker.models.shortages import shortages

CPU = torch.device("cpu")


class Doubling(nn.Module):
    """Gives one stem, twice its input, and can hold only so many windows."""

    def __init__(self, holds: int) -> None:
        super().__init__()
        self.holds = holds
        self.seen: list[int] = []

    def forward(self, windows: Tensor) -> Tensor:
        if len(windows) > self.holds:
            raise torch.OutOfMemoryError
        self.seen.append(len(windows))
        return 2 * windows[:, None]


class Gain(nn.Module):
    """A layer that autocast runs in half precision, with a gain."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 2, 1, bias=False)
        self.conv.weight.data = gain * torch.eye(2)[:, :, None]
        self.dtypes: list[torch.dtype] = []

    def forward(self, windows: Tensor) -> Tensor:
        made: Tensor = self.conv(windows)
        self.dtypes.append(made.dtype)
        return made[:, None]


def test_running_out_of_memory_halves_the_batch_and_goes_on() -> None:
    network, windows = Doubling(holds=3), torch.randn(10, 2, 64)
    runner, before = NetworkRunner(CPU, "fp32", batch=8), shortages()
    assert torch.equal(runner.run(network, windows), 2 * windows[:, None])
    assert runner.batch == 2
    runner.run(network, windows)
    assert set(network.seen) == {2}
    assert shortages() - before == 2  # operators see them: 8 to 4, 4 to 2


def test_one_window_too_much_is_an_error_that_says_so() -> None:
    with pytest.raises(OutOfMemory, match="cpu"):
        NetworkRunner(CPU, "fp32", batch=4).run(Doubling(holds=0), torch.randn(4, 2, 64))


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "MPS backend out of memory (MPS allocated: 9 GB)",
        "cuFFT error: CUFFT_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_every_library_says_it_differently(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))


def test_other_errors_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        NetworkRunner(CPU, "fp32", batch=4).run(Gain(1.0), torch.randn(4, 3, 64))


def test_fp16_that_overflows_is_done_again_in_fp32() -> None:
    network, windows = Gain(1e5), torch.ones(2, 2, 64)
    windows[1] *= 1e-3
    made = NetworkRunner(CPU, "fp16", batch=2).run(network, windows)
    assert network.dtypes == [torch.float16, torch.float32]
    assert torch.allclose(made[:, 0], 1e5 * windows, rtol=1e-2)


def test_bursts_in_silence_run_in_fp32() -> None:
    steady, burst = torch.randn(1, 2, 4096), torch.zeros(1, 2, 4096)
    burst[..., :2] = 1.0
    for windows, dtypes in (
        (steady, [torch.float16]),
        (burst, [torch.float16, torch.float32]),
        (torch.zeros(1, 2, 4096), [torch.float16]),
    ):
        network = Gain(1.0)
        NetworkRunner(CPU, "fp16", batch=1).run(network, windows)
        assert network.dtypes == dtypes


def test_bf16_is_used_inside_and_fp32_comes_out() -> None:
    network = Gain(1.0)
    made = NetworkRunner(CPU, "bf16", batch=1).run(network, torch.randn(1, 2, 64))
    assert network.dtypes == [torch.bfloat16]
    assert made.dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_fp32_on_cuda_is_not_tf32_and_settings_are_restored() -> None:
    device = torch.device("cuda", 0)
    before = torch.backends.cuda.matmul.fp32_precision
    network, windows = Gain(1.0).to(device), torch.randn(4, 2, 4096)
    exact = NetworkRunner(device, "fp32", batch=4).run(network, windows)
    assert torch.allclose(exact[:, 0].cpu(), windows, atol=1e-6)
    assert torch.backends.cuda.matmul.fp32_precision == before
