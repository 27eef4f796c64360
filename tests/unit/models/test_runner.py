"""Networks run in the arithmetic asked for, and what they can't hold is run again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn

from mashup_worker.models.device import is_out_of_memory, resolve_device
from mashup_worker.models.htdemucs.convert import converted
from mashup_worker.models.network import SeparationNetwork
from mashup_worker.models.runner import Arithmetic, NetworkRunner
from tests.checkpoints import SMALLEST, random_network
from tests.networks import profile

if TYPE_CHECKING:
    from collections.abc import Sequence

CPU = torch.device("cpu")


class Gain(SeparationNetwork):
    """A layer that autocast runs in half precision, with a gain."""

    def __init__(self, gain: float) -> None:
        super().__init__(profile("up", "down"), None)
        self.conv = nn.Conv1d(2, 2, 1, bias=False)
        self.conv.weight.data = gain * torch.eye(2)[:, :, None]
        self.dtypes: list[torch.dtype] = []

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        made: Tensor = self.conv(windows)
        self.dtypes.append(made.dtype)
        return torch.stack([made, -made], 1)[:, [0, 1] if rows is None else rows].float()


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
def test_out_of_memory_is_recognized_for_each_library(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))


@pytest.mark.parametrize(
    ("exact", "inside"), [(False, torch.bfloat16), (True, torch.float32)], ids=["half", "exact"]
)
def test_half_precision_inside_returns_fp32(exact: bool, inside: torch.dtype) -> None:
    network = Gain(1.0)
    runner = NetworkRunner(network, Arithmetic(CPU, "bf16"))
    made = runner.run(torch.randn(1, 2, 64), [0], exact=exact)
    assert network.dtypes == [inside]
    assert made.dtype == torch.float32


def test_only_the_rows_asked_for_are_made() -> None:
    windows = torch.randn(3, 2, 64)
    made = NetworkRunner(Gain(1.0), Arithmetic(CPU, "fp32")).run(windows, [1])
    assert torch.equal(made, -windows[:, None])


def test_a_network_is_compiled_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    original = random_network(HTDemucs, SMALLEST, seed=1)
    plain = NetworkRunner(converted(original), Arithmetic(CPU, "fp32"))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compiled = NetworkRunner(converted(original), Arithmetic(CPU, "fp32", compiled=True))
    windows = torch.randn(2, 2, compiled.profile.segment_samples)
    made = compiled.run(windows, [0, 3])
    torch.testing.assert_close(made, plain.run(windows, [0, 3]))
    assert compiled.is_compiled
    assert not plain.is_compiled


def test_networks_of_other_classes_are_not_compiled() -> None:
    runner = NetworkRunner(Gain(1.0), Arithmetic(CPU, "fp32", compiled=True))
    runner.run(torch.zeros(1, 2, 64), [0])
    assert not runner.is_compiled


@pytest.mark.gpu
def test_fp32_on_cuda_is_not_tf32() -> None:
    device = resolve_device("cuda")
    runner = NetworkRunner(Gain(1.0), Arithmetic(device, "fp32"))
    windows = torch.randn(4, 2, 4096)
    exact = runner.run(windows.to(device), [0])
    assert torch.allclose(exact[:, 0].cpu(), windows, atol=1e-6)
