"""Recordings on the fake device."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.fake_cuda import FakeCudaError
from tests.fake_cuda.findings import found

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

from tests.unit.fake_cuda.device import in_another_thread, recorded

pytestmark = pytest.mark.skipif(torch.version.cuda is None, reason="needs a CUDA build of torch")


def test_a_replay_overwrites_the_output() -> None:
    x = torch.ones(4, device="cuda")
    graph, doubled = recorded(lambda: (x * 2).add_(1)[1:])
    for value in (1.0, 5.0):
        x.fill_(value)
        graph.replay()
        assert doubled.tolist() == [2 * value + 1] * 3


def test_a_replay_overwrites_later_recordings_of_its_pool() -> None:
    x = torch.ones(4, device="cuda")
    first, double = recorded(lambda: x * 2)
    second, triple = recorded(lambda: x * 3, pool=first.pool())
    first.replay()
    second.replay()
    assert (double.tolist()[0], triple.tolist()[0]) == (2, 3)
    first.replay()
    assert double.tolist()[0] == 2
    assert triple.tolist()[0] != 3


def test_a_graph_does_not_keep_its_input() -> None:
    inputs = [torch.ones(4, device="cuda")]
    graph, _ = recorded(lambda: inputs[0] * 2)
    graph.replay()
    assert not found("race")
    inputs.clear()
    gc.collect()
    graph.replay()
    assert found("race")


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x.sum().item(),
        lambda x: x.nonzero(),
        lambda x: x.cpu(),
        lambda _: torch.ones(3, device="cuda").copy_(torch.ones(3)),
        lambda _: torch.ones(3).pin_memory(),
        lambda _: torch.empty(3, pin_memory=True),
        lambda _: torch.cuda.synchronize(),
        lambda _: torch.cuda.empty_cache(),
        lambda _: torch.cuda.CUDAGraph().replay(),
        lambda x: recorded(lambda: x + 1),
    ],
)
def test_work_that_cannot_be_recorded_raises(work: Callable[[Tensor], Any]) -> None:
    x = torch.ones(3, device="cuda")
    with pytest.raises(FakeCudaError):
        recorded(lambda: work(x))
    recorded(lambda: torch.zeros(3, device="cuda") + x[:1].expand(3))


@pytest.mark.parametrize(("mode", "fails"), [("thread_local", False), ("global", True)])
def test_other_threads_go_on_while_one_records(mode: str, fails: bool) -> None:
    failed = []

    def work() -> Tensor:
        failed.extend(in_another_thread(lambda: torch.ones(3).pin_memory().sum().item()))
        return torch.zeros(1, device="cuda")

    recorded(work, capture_error_mode=mode)
    assert bool(failed) == fails


def test_a_stream_that_is_recorded_belongs_to_one_thread() -> None:
    def work() -> Tensor:
        stream = torch.cuda.current_stream()
        assert in_another_thread(stream.record_event)
        assert not in_another_thread(torch.cuda.Stream().record_event)
        return torch.zeros(1, device="cuda")

    recorded(work)
