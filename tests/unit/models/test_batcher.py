"""Windows of all songs share batches; batches fit the device; nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from mashup_worker.errors import OutOfMemory
from mashup_worker.models.batcher import Batcher, Window
from mashup_worker.models.memory_events import out_of_memory_events
from mashup_worker.models.network import SeparationNetwork
from mashup_worker.models.runner import Arithmetic, NetworkRunner
from tests.networks import profile

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU = torch.device("cpu")


class Doubling(SeparationNetwork):
    """Gives one stem, twice its input, and can hold only so many windows."""

    def __init__(self, holds: int = 1000) -> None:
        super().__init__(profile("stem"), None)
        self.holds = holds
        self.seen: list[int] = []
        self.entered = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def forward(self, windows: Tensor, _rows: object = None) -> Tensor:
        self.entered.set()
        self.may_go_on.wait()
        if len(windows) > self.holds:
            raise torch.OutOfMemoryError
        self.seen.append(len(windows))
        return 2 * windows[:, None]


class Fault(SeparationNetwork):
    """Raises what it is told to."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(profile("stem"), None)
        self.error = error

    def forward(self, _windows: Tensor, _rows: object = None) -> Tensor:
        raise self.error


class HalfBlind(SeparationNetwork):
    """Overflows in half precision where its input is loud."""

    def __init__(self) -> None:
        super().__init__(profile("stem"), None)
        self.conv = nn.Conv1d(2, 2, 1, bias=False)
        self.conv.weight.data = 3e4 * torch.eye(2)[:, :, None]
        self.dtypes: list[torch.dtype] = []

    def forward(self, windows: Tensor, _rows: object = None) -> Tensor:
        made: Tensor = self.conv(windows)
        self.dtypes.append(made.dtype)
        return made[:, None].float()


def runner(network: SeparationNetwork, precision: str = "fp32") -> NetworkRunner:
    return NetworkRunner(network, Arithmetic(CPU, precision))  # type: ignore[arg-type]


def batcher(size: int, precision: str = "fp32") -> Batcher:
    return Batcher(Arithmetic(CPU, precision), size)  # type: ignore[arg-type]


def windows(network: NetworkRunner, samples: Tensor) -> Iterator[Window]:
    return (Window(network, (0,), one) for one in samples)


def run(by: Batcher, network: NetworkRunner, samples: Tensor) -> Tensor:
    return torch.stack(list(by.estimates(windows(network, samples))))


def test_every_window_returns_to_its_place_with_any_tail() -> None:
    for count in (1, 3, 4, 5, 11):
        network, samples = Doubling(), torch.randn(count, 2, 64)
        assert torch.equal(run(batcher(4), runner(network), samples), 2 * samples[:, None])
        assert sum(network.seen) == count
        assert len(network.seen) == -(-count // 4)


def test_windows_of_other_lengths_networks_and_stems_share_no_batch() -> None:
    first, second, long = Doubling(), Doubling(), torch.randn(2, 96)
    one, two = runner(first), runner(second)
    short = torch.randn(2, 64)
    mixed = [Window(one, (0,), short), Window(two, (0,), short), Window(one, (0,), long)]
    made = list(batcher(8).estimates(mixed))
    for estimate, window in zip(made, mixed, strict=True):
        assert torch.equal(estimate[0], 2 * window.samples)
    assert (first.seen, second.seen) == ([1, 1], [1])


def test_songs_in_flight_fill_each_others_batches() -> None:
    """While one song's batch is on the device others line up, and share the next."""
    network = Doubling()
    network.may_go_on.clear()
    by, ready = batcher(4), runner(network)
    songs = [torch.randn(2, 2, 64) for _ in range(5)]
    with ThreadPoolExecutor(len(songs)) as pool:
        jobs = [pool.submit(run, by, ready, songs[0])]
        network.entered.wait()
        jobs += [pool.submit(run, by, ready, song) for song in songs[1:]]
        while len(by._waiting) < 8:
            threading.Event().wait(0.001)
        network.may_go_on.set()
        made = [job.result() for job in jobs]
    for song, estimate in zip(songs, made, strict=True):
        assert torch.equal(estimate, 2 * song[:, None])
    assert network.seen == [2, 4, 4]


def test_running_out_of_memory_halves_the_batch_and_goes_on() -> None:
    network, samples = Doubling(holds=3), torch.randn(10, 2, 64)
    by, before = batcher(8), out_of_memory_events()
    assert torch.equal(run(by, runner(network), samples), 2 * samples[:, None])
    assert by.size == 2
    assert set(network.seen) == {2}
    assert out_of_memory_events() - before == 2  # operators see them: 8 to 4, 4 to 2


def test_the_next_size_is_the_largest_below_the_one_that_did_not_fit() -> None:
    """Half of a batch that was not full would be smaller, and every later batch with it."""
    by, samples = batcher(4), torch.randn(3, 2, 64)
    run(by, runner(Doubling(holds=2)), samples)
    assert by.size == 2


def test_running_out_of_memory_releases_the_recordings_of_all_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of larger batches are of no use any more, in networks that ran before too."""
    by, before, full = batcher(4), runner(Doubling()), runner(Doubling(holds=1))
    forgotten: list[NetworkRunner] = []
    monkeypatch.setattr(NetworkRunner, "forget", lambda self: forgotten.append(self))
    run(by, before, torch.randn(4, 2, 64))
    run(by, full, torch.randn(2, 2, 64))
    assert set(forgotten) == {before, full}


def test_a_window_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OutOfMemory, match="cpu"):
        run(batcher(4), runner(Doubling(holds=0)), torch.randn(4, 2, 64))


def test_other_errors_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        run(batcher(4), runner(Fault(RuntimeError("wrong channels"))), torch.randn(4, 2, 64))


def test_an_interrupt_in_one_thread_leaves_no_other_waiting() -> None:
    by, fault = batcher(2), runner(Fault(KeyboardInterrupt()))
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run, by, fault, torch.randn(1, 2, 64)) for _ in range(2)]
        assert [type(job.exception(timeout=60)) for job in jobs] == [KeyboardInterrupt] * 2


def test_a_song_given_up_costs_the_device_nothing_more() -> None:
    network, other = Doubling(), Doubling()
    by = batcher(4)
    estimates = by.estimates(windows(runner(network), torch.randn(9, 2, 64)))
    next(estimates)
    estimates.close()  # type: ignore[attr-defined]
    assert torch.equal(run(by, runner(other), torch.ones(1, 2, 8)), 2 * torch.ones(1, 1, 2, 8))
    assert network.seen == [4]
    assert not by._waiting


def test_fp16_that_overflows_is_done_again_in_fp32() -> None:
    network, samples = HalfBlind(), torch.full((2, 2, 64), 10.0)
    samples[1] *= 1e-3
    made = run(batcher(2, "fp16"), runner(network, "fp16"), samples)
    assert network.dtypes == [torch.float16, torch.float32]
    assert torch.allclose(made[:, 0], 3e4 * samples, rtol=1e-2)
