"""The fake CUDA device finds what a GPU would not forgive, and nothing else."""

from __future__ import annotations

import copy
import gc
import threading
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.fake_cuda import FOUND, FakeCudaError, out_of_memory, pretend
from tests.fake_cuda.budget import DeviceBudget
from tests.fake_cuda.findings import DEFECTS, found
from tests.fake_cuda.memory import MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

pytestmark = pytest.mark.skipif(torch.version.cuda is None, reason="needs a CUDA build of torch")


@pytest.fixture(autouse=True)
def _device() -> Iterator[None]:
    with pretend():
        FOUND.clear()
        yield
    FOUND.clear()


def kinds() -> set[str]:
    """Kinds found so far; memory counts once it is freed."""
    gc.collect()
    return {one.kind for one in FOUND}


def pinned(*shape: int) -> Tensor:
    return torch.ones(shape).pin_memory()


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
    assert finding.place.startswith("tests/unit/test_fake_cuda.py:")
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


def recorded(work: Callable[[], Tensor], **options: Any) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.Stream(), **options):
        made = work()
    return graph, made


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


def in_another_thread(work: Callable[[], object]) -> list[BaseException]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except FakeCudaError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return errors


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


def test_memory_is_counted_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.cuda.memory_allocated()
    held = torch.ones(1 << 20, device="cuda")
    assert held[1:].view(-1).is_cuda
    assert torch.cuda.memory_allocated() - before == held.nbytes
    free, total = torch.cuda.mem_get_info()
    assert total - free >= torch.cuda.memory_reserved() >= held.nbytes
    torch.cuda.reset_peak_memory_stats()
    held = held + 1
    assert torch.cuda.max_memory_reserved() - before == 2 * held.nbytes
    monkeypatch.setattr(MEMORY, "total_bytes", before + held.nbytes)
    with pytest.raises(torch.OutOfMemoryError):
        held + 1
    assert torch.cuda.memory_allocated() - before == held.nbytes


def test_chosen_launches_run_out_of_memory() -> None:
    x = torch.ones(3, 2, device="cuda")
    with out_of_memory(lambda shapes, recorded: recorded and any(shape[0] > 2 for shape in shapes)):
        _ = x + 1
        recorded(lambda: x[:2] + 1)
        with pytest.raises(torch.OutOfMemoryError):
            recorded(lambda: x + 1)
    recorded(lambda: x + 1)
    assert not found(*DEFECTS)


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


def read_in(module: str) -> None:
    """Read a value of the device, in a line of the package."""
    path = Path(__file__).parents[2] / "mashup_worker" / f"{module}.py"
    exec(compile("x.sum().item()", path, "exec"), {"x": torch.ones(3, device="cuda")})


def test_a_budget_limits_the_costs_of_the_package() -> None:
    budget = DeviceBudget()
    read_in("dsp/hpss")
    with budget.limit(read=1, copy=0):
        torch.ones(3, device="cuda").sum().item()  # the test's own
        read_in("dsp/hpss")
    with (
        pytest.raises(pytest.fail.Exception, match=r"mashup_worker/dsp/hpss\.py:1"),
        budget.limit(read=0),
    ):
        read_in("dsp/hpss")


def test_a_budget_fails_by_defects_that_it_does_not_allow() -> None:
    budget = DeviceBudget()
    with pytest.raises(FakeCudaError):
        torch.ones(3, device="cuda") + torch.ones(3)
    with pytest.raises(pytest.fail.Exception, match="error: add gets"):
        budget.check()
    budget.allow("error")
    budget.check()


@pytest.mark.parametrize(
    ("module", "fails"),
    [("models/graphs", True), ("models/htdemucs/core", True), ("dsp/hpss", False)],
)
def test_reads_of_the_host_are_defects_in_hot_paths(module: str, fails: bool) -> None:
    read_in(module)
    with pytest.raises(pytest.fail.Exception) if fails else nullcontext():
        DeviceBudget().check()
