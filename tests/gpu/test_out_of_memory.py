"""A GPU that runs out of memory, or fails while a CUDA graph is recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
import torch
from demucs.apply import BagOfModels

from mashup_worker.bench import parallel
from mashup_worker.bench.engines import Weights
from mashup_worker.bench.processes import SHORT_OF_MEMORY, ProcessesRequest, measure_processes
from mashup_worker.bench.results import Taken, Work
from mashup_worker.errors import DeviceLost, OutOfMemory
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.htdemucs.core import HybridCore
from mashup_worker.models.htdemucs.network import HybridNetwork
from mashup_worker.models.memory_events import out_of_memory_events
from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file
from tests.engines import RATE_HZ, music, separate
from tests.fake_cuda.budget import is_fake
from tests.gpu.networks import LEAST_DB, assert_near, tiny_network, tiny_separator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.models.engine import NetworkSeparator

pytestmark = pytest.mark.gpu

MIX = music(0.6)


class Memory:
    """Holds batches of up to so many windows.

    Attributes:
        windows: that many.
        only_while_recording: whether it is short while a CUDA graph is recorded, and only then.
    """

    def __init__(self) -> None:
        self.windows = 1000
        self.only_while_recording = False

    def check(self, batch: Tensor) -> None:
        """Raise what torch raises for a batch that does not fit."""
        short = not self.only_while_recording or torch.cuda.is_current_stream_capturing()
        if short and len(batch) > self.windows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Memory for the networks, plenty until a test takes it away."""
    made = Memory()
    network, core = HybridNetwork.forward, HybridCore.forward

    def run_network(module: Any, windows: Tensor, *args: Any) -> Any:
        made.check(windows)
        return network(module, windows, *args)

    def run_core(module: Any, x: Tensor, xt: Tensor) -> Any:
        made.check(x)
        return core(module, x, xt)

    monkeypatch.setattr(HybridNetwork, "forward", run_network)
    monkeypatch.setattr(HybridCore, "forward", run_core)
    return made


def assert_halved(separator: NetworkSeparator, size: int, halvings: int, before: int) -> None:
    """Check the batch size, what operators see of it, and that the result is unchanged."""
    assert separator._batcher.size == size
    assert out_of_memory_events() - before == halvings
    assert_near(separate(separator, MIX), separate(tiny_separator("cpu"), MIX), LEAST_DB["fp32"])
    assert separator._batcher.size == size


def test_at_warm_up_batches_are_halved_until_they_fit(memory: Memory) -> None:
    separator, before = tiny_separator("cuda", batch=4), out_of_memory_events()
    memory.windows = 1
    separator.warm_up()
    assert_halved(separator, 1, 2, before)


def test_while_recording_batches_are_halved_and_recordings_released(
    memory: Memory, recorded: list[int]
) -> None:
    separator, before = tiny_separator("cuda", batch=2), out_of_memory_events()
    memory.windows, memory.only_while_recording = 1, True
    separator.warm_up()
    assert recorded == [2, 1]
    assert_halved(separator, 1, 1, before)


def test_in_a_song_batches_are_halved_and_the_song_goes_on(
    memory: Memory, recorded: list[int]
) -> None:
    """Recordings give their memory back, and the sizes that go on are recorded again."""
    separator, before = tiny_separator("cuda", batch=2), out_of_memory_events()
    separator.warm_up()
    mix = music(2.1)  # when the first block is there, most windows are still to come
    blocks = separator.stream(mix)
    made = [next(blocks)]
    memory.windows = 1
    made += blocks
    assert_near(torch.cat(made, -1), separate(tiny_separator("cpu"), mix), LEAST_DB["fp32"])
    assert (separator._batcher.size, out_of_memory_events() - before) == (1, 1)
    assert recorded == [2, 1, 1]


def test_songs_at_once_outlive_a_shortage(memory: Memory) -> None:
    separator = tiny_separator("cuda", batch=4)
    memory.windows = 2
    songs = [music(0.6, seed=seed) for seed in range(3)]
    with ThreadPoolExecutor(len(songs)) as pool:
        made = list(pool.map(lambda song: separate(separator, song), songs))
    reference = tiny_separator("cpu")
    for got, song in zip(made, songs, strict=True):
        assert_near(got, separate(reference, song), LEAST_DB["fp32"])
    assert separator._batcher.size == 2


def test_a_window_that_does_not_fit_is_one_error_and_leaves_no_file(
    memory: Memory, tmp_path: Path
) -> None:
    separator = tiny_separator("cuda", batch=2)
    memory.windows = 0
    soundfile.write(tmp_path / "song.wav", MIX.samples.T.numpy(), RATE_HZ)
    targets = {kind: tmp_path / "stems" / f"{kind}.flac" for kind in separator.stems}
    request = SeparateRequest(tmp_path / "song.wav", targets)
    with ThreadPoolExecutor(3) as pool:
        jobs: list[Future[Any]] = [pool.submit(separate, separator, MIX) for _ in range(2)]
        jobs.append(pool.submit(separate_file, separator, request))
        errors = [job.exception(timeout=60) for job in jobs]
    for error in errors:
        assert isinstance(error, OutOfMemory)
        assert "cuda:0" in error.message
        assert "\n" not in error.message
    assert not list((tmp_path / "stems").glob("*"))
    memory.windows = 1  # others have ended
    assert_near(separate(separator, MIX), separate(tiny_separator("cpu"), MIX), LEAST_DB["fp32"])


@pytest.mark.parametrize("windows", [1, 0])
def test_processes_that_share_a_device_are_measured_up_to_a_shortage(
    memory: Memory, windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_fake():
        pytest.skip("the memory of other processes can't be limited on a real GPU")
    monkeypatch.setattr(parallel, "START_METHOD", "fork")
    memory.windows = windows
    weights = Weights("tiny", BagOfModels([tiny_network()]), random=True)
    request = ProcessesRequest(
        load=lambda: weights,
        options=EngineOptions("cuda", "fp32", batch=2),
        device=torch.device("cuda", 0),
        work=Work(tracks=1, track_s=0.5),
        counts=(2, 4),
        rounds=1,
    )
    taken = Taken("mashup bench processes", "2026-01-01", {})
    *_, made = measure_processes(request, weights, taken, lambda _step: None)
    (two,) = made.counts
    assert two.processes == len(two.failures) == 2
    if windows:
        assert two.run is not None
        assert two.failures == (SHORT_OF_MEMORY,) * 2
    else:
        assert two.run is None
        assert all("cuda:0: too little memory" in reason for reason in two.failures)


def test_a_recording_that_can_not_be_ended_costs_the_process_its_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """torch's allocator is unusable afterwards, so no song may go on with it."""
    plain = torch.cuda.graph

    @contextmanager
    def graph(*args: Any, **kwargs: Any) -> Iterator[None]:
        with plain(*args, **kwargs):
            yield
        raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    monkeypatch.setattr(torch.cuda, "graph", graph)
    separator = tiny_separator("cuda", batch=2)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(separate, separator, MIX) for _ in range(2)]
        errors = [job.exception(timeout=60) for job in jobs]
    for error in errors:
        assert isinstance(error, DeviceLost)
        assert error.code == "device_lost"
        assert error.retryable
        assert "cuda:0" in error.message
