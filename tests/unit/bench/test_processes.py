"""Worker processes that share a device: what is measured of them, and what is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import torch
from demucs.apply import BagOfModels

from mashup_worker.bench import processes
from mashup_worker.bench.engines import Weights
from mashup_worker.bench.pipeline import write_songs
from mashup_worker.bench.processes import ProcessesRequest, Share, prepare, run_together
from mashup_worker.bench.results import ProcessCount, Work
from mashup_worker.bench.text import process_cells
from mashup_worker.models.engine import EngineOptions
from tests.gpu.networks import tiny_network
from tests.unit.bench.documents import a_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPTIONS = EngineOptions("cpu", "fp32", batch=1)


def a_request(work: Work, load: Callable[[], Weights]) -> ProcessesRequest:
    return ProcessesRequest(
        load=load, options=OPTIONS, device=torch.device("cpu"), work=work, counts=(2,), rounds=1
    )


def a_share(start_s: float, stop_s: float, host_bytes: int, device_bytes: int | None) -> Share:
    return Share(
        start_s=start_s,
        stop_s=stop_s,
        host_bytes=host_bytes,
        device_bytes=device_bytes,
        is_short=False,
        label="ours",
        precision="bf16",
        compiled=True,
    )


@pytest.mark.parametrize(
    ("on_device", "used", "device_bytes"),
    [((7, 8), 14, 15), ((7, 8), 20, 20), ((None,) * 2, 0, None)],
)
def test_a_round_is_the_time_and_memory_of_all(
    on_device: tuple[int | None, int | None], used: int, device_bytes: int | None
) -> None:
    one, other = on_device
    rounds = [
        [a_share(100, 108, 5, one), a_share(102, 110, 4, other)],
        [a_share(120, 130, 3, one), a_share(120, 124, 3, other)],
    ]
    request = a_request(Work(tracks=3, track_s=60), lambda: pytest.fail("loads networks"))
    run = run_together(request, rounds, used)
    assert run.rounds_s == (10, 10)
    assert (run.tracks, run.times_real_time) == (6, 36)
    assert (run.peak_host_bytes, run.peak_device_bytes) == (9, device_bytes)
    assert (run.label, run.precision, run.batch, run.compiled) == ("ours", "bf16", 1, True)


def test_networks_are_loaded_and_warm_before_the_work_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = 0

    def load() -> Weights:
        nonlocal loads
        loads += 1
        return Weights("tiny", BagOfModels([tiny_network()]), random=True)

    monkeypatch.setattr(processes, "out_of_memory_events", lambda: 0)  # of earlier tests
    work = Work(tracks=2, track_s=0.5)
    songs = write_songs(tmp_path / "songs", Work(tracks=4, track_s=0.5))
    for song in songs[:2]:
        song.unlink()  # process 1 has songs of its own
    round_of_all = prepare(a_request(work, load), songs, 1)
    assert loads == 1
    prepared_s = time.perf_counter()
    shares = [round_of_all() for _ in range(2)]
    assert loads == 1
    for before_s, share in zip((prepared_s, shares[0].stop_s), shares, strict=True):
        assert before_s <= share.start_s < share.stop_s <= time.perf_counter()
    assert not shares[0].is_short
    assert shares[0].device_bytes is None
    assert {path.name for path in songs[0].parent.iterdir()} == {"2.flac", "3.flac"}


def test_a_row_has_the_figures_of_all_processes_and_the_reasons_of_failures() -> None:
    done = process_cells(ProcessCount(4, a_run("ours", 10), ("short", "short")))
    assert (done["processes"], done["songs"], done["x real time"]) == ("4", "1", "6.00")
    assert done["failures"] == "2 of 4: short"
    failed = process_cells(ProcessCount(2, None, ("lost", "short")))
    assert {name: cell for name, cell in failed.items() if cell} == {
        "processes": "2",
        "failures": "2 of 2: lost; short",
    }
    assert [*failed] == [*done]
