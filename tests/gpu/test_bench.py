"""`mashup bench` on a GPU: everything is measured, and the results say what ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from demucs.apply import BagOfModels

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench import music
from mashup_worker.bench.engines import OurEngine, Weights
from mashup_worker.bench.pipeline import PipelineRequest, measure_pipeline
from mashup_worker.bench.results import Taken, Work
from mashup_worker.bench.separation import SeparationRequest, measure_separation
from mashup_worker.bench.staged import measure_analysis, measure_mashup
from mashup_worker.models.engine import EngineOptions
from tests.fake_cuda.budget import is_fake
from tests.gpu.networks import LEAST_DB, tiny_network

if TYPE_CHECKING:
    from mashup_worker.bench.results import Run, Staged
    from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda", 0)
TAKEN = Taken("mashup bench", "2026-01-01", {})


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights("tiny", BagOfModels([tiny_network()]), random=True)


def ignore(_step: str) -> None:
    """Take a step's name."""


def assert_measured(run: Run, rounds: int) -> None:
    assert len(run.rounds_s) == rounds
    assert run.times_real_time > 0
    assert run.peak_host_bytes > 1e6
    assert run.peak_device_bytes is not None
    assert run.peak_device_bytes > 0


def test_separation_beside_demucs(weights: Weights, device_budget: DeviceBudget) -> None:
    device_budget.allow("tf32")  # demucs runs in torch's settings, and so in TF32
    request = SeparationRequest(
        weights,
        CUDA,
        song_s=0.5,
        rounds=1,
        options=EngineOptions(precision="bf16", batch=1, compile=True),
        against=("demucs",),
        limit=False,
    )
    *_, made = measure_separation(request, TAKEN)
    assert not made.not_run
    ours, stock = made.runs
    for run in (ours, stock):
        assert_measured(run, rounds=1)
        assert is_fake() or run.busy_share  # a fake device runs no kernels
        least_db = LEAST_DB["tf32" if run is stock else run.precision or "fp32"]
        assert run.snr_db is None or run.snr_db > least_db
    assert (ours.precision, ours.batch, ours.compiled) == ("bf16", 1, True)
    assert stock.label.startswith("demucs")
    assert (stock.precision, stock.batch, stock.compiled) == ("fp32", 1, False)
    (ratio,) = made.ratios
    assert ratio.ratio == pytest.approx(stock.p50_s / ours.p50_s, rel=0.1)
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"  # type: ignore[attr-defined]


def test_a_core_that_did_not_compile_is_not_reported_as_compiled(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("Failed to find C compiler.")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: fails)
    engine = OurEngine(weights, EngineOptions("cuda", "bf16", batch=1, compile=True))
    engine.separate(music.song(0.5))
    assert not engine.compiled


def test_the_pipeline(weights: Weights) -> None:
    options = EngineOptions("cuda", "bf16", batch=1)
    request = PipelineRequest(
        weights=weights, options=options, device=CUDA, work=Work(2, 0.5), in_flight=(2,), rounds=1
    )
    *_, made = measure_pipeline(request, TAKEN, ignore)
    (two,) = made.in_flight
    assert two.songs == 2
    assert_measured(two.run, rounds=1)
    assert (two.run.precision, two.run.batch, two.run.compiled) == ("bf16", 1, False)
    assert {"decode", "device", "encode", "processor"} <= set(two.stages)
    assert all(0 < stage.busy_share <= 1 for stage in two.stages.values())
    assert two.bottleneck in two.stages


def assert_stages_add_up(made: Staged) -> None:
    assert_measured(made.run, rounds=1)
    assert all(seconds >= 0 for seconds in made.stages_s.values())
    assert sum(made.stages_s.values()) <= 1.1 * made.run.p50_s


def test_an_analysis() -> None:
    made = measure_analysis(Work(1, 6.0), CUDA, 1, taken=TAKEN, on_step=ignore)
    assert {"measure", "harmony", "rhythm"} <= set(made.stages_s)
    assert_stages_add_up(made)


@pytest.mark.hardware("on a fake one, tests/integration/test_gpu_benchmark.py measures a mashup")
def test_a_mashup() -> None:
    made = measure_mashup(
        Work(1, 8.0), CUDA, 1, taken=TAKEN, on_step=ignore, encode=EncodeOptions("flac")
    )
    assert {"read", "plan", "stretch", "master", "check"} <= set(made.stages_s)
    assert_stages_add_up(made)
