"""Operators on the fake device: numbers, host reads, copies and precisions."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.fake_cuda import FOUND, FakeCudaError, pretend
from tests.fake_cuda.findings import found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

from tests.unit.fake_cuda.device import in_another_thread, kinds, pinned

pytestmark = pytest.mark.skipif(torch.version.cuda is None, reason="needs a CUDA build of torch")


def test_numbers_are_those_of_the_cpu() -> None:
    x, layer = torch.randn(3, 5), nn.Sequential(nn.Linear(5, 4), nn.GELU())
    expected = torch.fft.rfft(layer(x)).abs()
    there = copy.deepcopy(layer).to("cuda")
    made = torch.fft.rfft(there(x.cuda())).abs()
    assert made.device == torch.device("cuda", 0)
    torch.testing.assert_close(made.cpu(), expected)
    assert made.tolist() == made.cpu().tolist()
    assert there[0].weight.is_cuda


def test_torch_is_restored_afterwards() -> None:
    with pretend():
        pass
    assert torch.cuda.is_available()  # the outer one goes on
    assert torch.zeros(2, device="cuda").is_cuda


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, y: x + y,
        lambda x, y: torch.cat([x, y]),
        lambda x, y: torch.stack([x[0], y[0]]),
        lambda x, y: x.add_(y),
        lambda x, y: torch.where(x > 0, x, y),
        lambda x, y: y[0].add_(x[0]),
    ],
)
def test_operators_on_both_devices_raise(mix: Callable[[Tensor, Tensor], Tensor]) -> None:
    here = torch.ones(3)
    with pytest.raises(FakeCudaError, match=r"of the device and of the CPU, at tests/unit"):
        mix(here.cuda(), here)
    assert "error" in kinds()
    FOUND.clear()
    mix(here.cuda(), here.cuda())
    mix(here.clone(), here)
    assert "error" not in kinds()


def test_scalars_of_the_host_may_meet_the_device() -> None:
    x = torch.ones(3, device="cuda")
    x[0] = torch.tensor(3.0)
    assert (x * torch.tensor(2.0)).tolist() == [6, 2, 2]
    assert "error" not in kinds()


def test_numbers_of_the_device_need_no_generator_of_the_cpu() -> None:
    with pytest.raises(FakeCudaError, match="generator of the CPU"):
        torch.rand(3, device="cuda", generator=torch.Generator())
    assert torch.rand(3, device="cuda").is_cuda
    torch.rand(3, generator=torch.Generator())


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: float(x[0]),
        lambda x: bool(x[0] > 0),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: torch.equal(x, x),
    ],
)
def test_host_reads_are_recorded_with_their_line(read: Callable[[Tensor], Any]) -> None:
    x = torch.ones(3, device="cuda")
    assert not found("read")
    read(x)
    [finding] = found("read")
    assert finding.place.startswith("tests/unit/fake_cuda/test_operators.py:")
    assert finding.place.endswith("in <lambda>")
    FOUND.clear()
    _ = (x + x).view(3, 1).expand(3, 2).contiguous()[x.long()]
    assert not found("read")


@pytest.mark.parametrize(
    "copies",
    [
        lambda host, _: host.to("cuda"),
        lambda *_: torch.ones(4).to("cuda", non_blocking=True),
        lambda *_: torch.tensor([1.0], device="cuda"),
        lambda _, there: there.copy_(torch.ones(4), non_blocking=True),
        lambda host, there: host.copy_(there),
        lambda _, there: there.cpu(),
    ],
)
def test_copies_that_block_or_use_pageable_memory_are_recorded(
    copies: Callable[[Tensor, Tensor], Tensor],
) -> None:
    host, there = pinned(4), torch.empty(4, device="cuda")
    there.copy_(host[:4], non_blocking=True)  # a view is pinned, too
    host.to("cuda", non_blocking=True)
    torch.empty(4, pin_memory=True).copy_(there, non_blocking=True)
    assert not found("copy")
    copies(host, there)
    assert found("copy").total() == 1


@contextmanager
def tf32(backend: Any, precision: str) -> Iterator[None]:
    before, backend.fp32_precision = backend.fp32_precision, precision
    yield
    backend.fp32_precision = before


def test_fp32_products_must_not_run_in_tf32() -> None:
    x, weight = torch.ones(1, 1, 8, device="cuda"), torch.ones(1, 1, 3, device="cuda")
    convolutions, products = torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
    for precision, findings in (("ieee", 0), ("tf32", 1)):
        with tf32(convolutions, precision):
            F.conv1d(x.half(), weight.half())
            F.conv1d(x, weight)
        assert found("tf32").total() == findings
        FOUND.clear()
        with tf32(products, precision):
            _ = x.bfloat16() @ x.mT.bfloat16()
            _ = x @ x.mT
        assert found("tf32").total() == findings


def test_cudnn_searches_once_for_each_shape_and_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(1, 1, 3, device="cuda")

    def convolve(length: int) -> None:
        F.conv1d(torch.ones(1, 1, length, device="cuda"), weight)

    convolve(20)
    assert not found("search")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    for length, searches in ((21, 1), (21, 1), (22, 2)):
        convolve(length)
        assert found("search").total() == searches
    in_another_thread(lambda: convolve(21))
    assert found("search").total() == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_attention_is_that_of_the_cpu(dtype: torch.dtype) -> None:
    query, key, value = torch.randn(3, 1, 2, 7, 8).to(dtype)
    expected = F.scaled_dot_product_attention(query, key, value)
    made = F.scaled_dot_product_attention(query.cuda(), key.cuda(), value.cuda())
    torch.testing.assert_close(made.cpu(), expected)


def test_autocast_multiplies_in_half_precision() -> None:
    with torch.autocast("cuda", torch.bfloat16):
        made = F.linear(torch.ones(2, 3, device="cuda"), torch.ones(4, 3, device="cuda"))
    assert made.dtype == torch.bfloat16
