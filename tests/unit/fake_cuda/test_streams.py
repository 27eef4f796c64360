"""Streams of the fake device: races, waits and memory in use on several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.fake_cuda import FOUND
from tests.fake_cuda.findings import found
from tests.unit.fake_cuda.device import kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

pytestmark = pytest.mark.skipif(torch.version.cuda is None, reason="needs a CUDA build of torch")


@pytest.mark.parametrize("read", [lambda host: host[1:].numpy(), lambda host: host + 1])
def test_a_download_is_read_after_its_arrival(read: Callable[[Tensor], Any]) -> None:
    def download() -> tuple[Tensor, torch.cuda.Event]:
        host = torch.empty(4, pin_memory=True)
        host.copy_(torch.ones(4, device="cuda"), non_blocking=True)
        return host, torch.cuda.current_stream().record_event()

    host, arrived = download()
    arrived.synchronize()
    read(host)
    assert not found("race")
    host, _ = download()
    read(host)
    assert found("race")


def test_a_stream_that_does_not_wait_for_another_is_a_race() -> None:
    x, side = torch.ones(4, device="cuda"), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        x += 1
    torch.cuda.current_stream().wait_stream(side)
    x += 1
    assert not found("race")
    with torch.cuda.stream(side):
        x.sum()
    assert found("race")


@pytest.mark.parametrize("wait", ["event", "stream", "device", "read"])
def test_work_that_the_host_waited_for_is_no_race(wait: str) -> None:
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        x = torch.ones(4, device="cuda")
        event = side.record_event()
        if wait == "read":
            x.sum().item()
    if wait == "event":
        event.synchronize()
    elif wait == "stream":
        side.synchronize()
    elif wait == "device":
        torch.cuda.synchronize()
    x.sum()
    assert not found("race")
    assert bool(found("wait")) == (wait != "read")


def test_memory_in_use_elsewhere_is_freed_after_record_stream() -> None:
    def use_on(side: torch.cuda.Stream, *, record: bool) -> None:
        x = torch.ones(4, device="cuda")
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            x.sum()
        if record:
            x.record_stream(side)

    use_on(torch.cuda.Stream(), record=True)
    assert kinds() == set()
    use_on(torch.cuda.Stream(), record=False)
    [finding] = found("race")
    assert "record_stream" in finding.message


def test_the_33rd_stream_is_the_first() -> None:
    kept = [torch.cuda.Stream() for _ in range(32)]
    assert len({one.id for one in kept}) == 32  # type: ignore[attr-defined]
    assert not found("alias")
    torch.cuda.Stream()
    assert found("alias").total() == 1
    kept.clear()
    FOUND.clear()
    for _ in range(100):  # each is gone when the next is made
        torch.cuda.Stream()
    assert not found("alias")
