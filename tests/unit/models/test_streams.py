"""Streams are few and each has one purpose; copies and waits hold nothing else up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.models import streams
from mashup_worker.models.batcher import Batcher
from mashup_worker.models.graphs import CapturedCore
from mashup_worker.models.runner import Arithmetic
from mashup_worker.models.streams import download, stream_for, upload, wait_for

if TYPE_CHECKING:
    from torch import Tensor

    from tests.fake_cuda.budget import DeviceBudget

CUDA = torch.device("cuda", 0)


def test_on_the_cpu_nothing_is_copied() -> None:
    samples = torch.randn(2, 100)
    assert upload(samples, torch.device("cpu")) is samples
    host, arrived = download(samples)
    assert host is samples
    assert arrived is None
    wait_for(torch.device("cpu"))


@pytest.mark.gpu
def test_each_purpose_has_a_stream_that_is_made_once() -> None:
    purposes = ("networks", "recording", "downloads")
    streams = [stream_for(CUDA, purpose) for purpose in purposes]  # type: ignore[arg-type]
    for one, purpose in zip(streams, purposes, strict=True):
        assert stream_for(torch.device("cuda"), purpose) is one  # type: ignore[arg-type]
        assert one != torch.cuda.default_stream(CUDA)
    assert len(set(streams)) == 3


@pytest.mark.gpu
def test_the_downloads_of_many_songs_never_use_the_stream_of_the_networks(
    device_budget: DeviceBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch has 32 streams: one for each stem was, with the 31st, the one that networks run on."""
    monkeypatch.setattr(streams, "_streams", {})
    batcher = Batcher(Arithmetic(CUDA, "fp32"), 1)
    samples = torch.randn(2, 100)
    with device_budget.limit(read=0, copy=0):
        there = upload(samples, CUDA)
        downloads = [download(there) for _ in range(40)]
    for host, arrived in downloads:
        assert arrived is not None
        arrived.synchronize()
        assert torch.equal(host, samples)
    assert batcher._stream is stream_for(CUDA, "networks")


@pytest.mark.gpu
def test_all_networks_are_recorded_on_one_stream() -> None:
    """Recordings of one stream share its workspaces."""
    used: set[torch.cuda.Stream] = set()

    def core(x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        used.add(torch.cuda.current_stream())
        return x + 1, xt + 1

    for captured in (CapturedCore(core), CapturedCore(core)):
        for length in (1, 2):
            captured(torch.zeros(length, device=CUDA), torch.zeros(length, device=CUDA))
    assert used == {stream_for(CUDA, "recording")}


@pytest.mark.gpu
def test_what_a_thread_has_started_is_done_after_waiting_for_the_device() -> None:
    samples = torch.randn(2, 100)
    host = torch.empty(2, 100, pin_memory=True)
    host.copy_(samples.to(CUDA), non_blocking=True)
    wait_for(CUDA)
    assert torch.equal(host, samples)


@pytest.mark.gpu
@pytest.mark.hardware("only a GPU computes while the host goes on")
def test_waiting_for_the_device_waits_for_its_work() -> None:
    large = torch.randn(8192, 8192, device=CUDA)
    wait_for(CUDA)
    for _ in range(50):
        large @ large
    assert not torch.cuda.current_stream(CUDA).query()
    wait_for(CUDA)
    assert torch.cuda.current_stream(CUDA).query()
