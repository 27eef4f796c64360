"""Measuring engines: on the same weights, in turn, with the quality beside the speed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from demucs.apply import BagOfModels
from demucs.htdemucs import HTDemucs

from mashup_worker.bench import ceilings, music, peers, pipeline
from mashup_worker.bench.engines import OurEngine, StockEngine, Weights, load_weights
from mashup_worker.bench.pipeline import PipelineRequest, measure_pipeline
from mashup_worker.bench.results import Taken, Work
from mashup_worker.bench.separation import SeparationRequest, measure_separation
from mashup_worker.errors import DeviceLost, EngineUnavailable, InvalidInput
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.fp32 import fp32
from mashup_worker.models.load import load_model
from mashup_worker.models.store import WeightStore
from mashup_worker.settings import Settings
from tests.checkpoints import SMALLEST, random_network
from tests.engines import Splitter, separate
from tests.gpu.networks import tiny_network
from tests.msst import save_pair

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from tests.fake_cuda.budget import DeviceBudget

CPU = torch.device("cpu")
TAKEN = Taken("mashup bench", "2026-01-01", {})


@pytest.fixture
def weights(repository: Path) -> Weights:
    return load_weights("htdemucs", _store(repository), repository)


def _store(folder: Path) -> WeightStore:
    return WeightStore(Settings(offline=True, model_cache=folder / "none"))


@pytest.fixture(autouse=True)
def _small_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates of small products and copies cost little, and are not compared with anything."""
    small = ceilings.ProbeSizes(matrix_side=256, copy_bytes=16 << 20, seconds=0.01)
    monkeypatch.setattr(ceilings, "CPU_PROBES", small)


def smallest() -> Weights:
    network: Any = random_network(HTDemucs, SMALLEST, seed=1)
    return Weights("smallest", BagOfModels([network]), random=True)


def _nothing(_step: str) -> None:
    pass


def test_songs_are_always_the_same_and_never_clip() -> None:
    song = music.song(3.3)
    assert song.samples.shape == (2, round(3.3 * 44_100))
    assert torch.equal(song.samples, music.song(3.3).samples)
    assert 0.3 < float(song.samples.abs().max()) < 1
    stems = music.stems(3.3)
    total = torch.stack([stem.samples for stem in stems.values()]).sum(0)
    torch.testing.assert_close(total, song.samples)
    assert all(float(stem.samples.square().mean()) > 1e-5 for stem in stems.values())


@pytest.mark.parametrize("name", peers.PEERS)
def test_every_engine_does_the_same(name: str, weights: Weights) -> None:
    try:
        theirs = peers.open_peer(name, weights, CPU)
    except EngineUnavailable:
        pytest.skip(f"{name} is not installed")
    song = music.song(9)
    options = EngineOptions(device="cpu", precision="fp32")
    ours = torch.stack(OurEngine(weights, options).separate(song))
    made = torch.stack(theirs.separate(song))
    assert ours.shape == (4, 2, 9 * 44_100)
    torch.testing.assert_close(ours, made, rtol=0, atol=1e-4 * float(made.abs().max()))


def test_missing_weights_are_random_and_not_fetched(tmp_path: Path) -> None:
    found = load_weights("auto", _store(tmp_path), None)
    assert (found.model, found.random, len(found.copied().models)) == ("htdemucs", True, 1)
    parameters = sum(one.numel() for one in found.copied().parameters())
    assert 41e6 < parameters < 43e6
    assert not (tmp_path / "none").exists()


def test_a_folder_needs_the_name_of_a_model(repository: Path) -> None:
    with pytest.raises(InvalidInput):
        load_weights("auto", _store(repository), repository)


@pytest.mark.parametrize("architecture", ["scnet", "mel_band_roformer"])
def test_a_checkpoint_of_another_trainer_is_measured(tmp_path: Path, architecture: str) -> None:
    save_pair(tmp_path, "own", architecture)
    weights = load_weights("own", _store(tmp_path), tmp_path)
    options = EngineOptions("cpu", "fp32")
    song = music.song(1)
    ours = OurEngine(weights, options).separate(song)
    separator = load_model("own", options, _store(tmp_path), repository=tmp_path).separator
    assert torch.equal(torch.stack(ours), separate(separator, song))
    with pytest.raises(EngineUnavailable, match=f"it runs no {architecture}"):
        peers.open_peer("demucs", weights, CPU)


@pytest.mark.parametrize("name", ["lite", "recipe"])
def test_a_model_that_only_this_package_runs_is_measured_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "recipe.yaml").write_text("steps: [{stems: [vocals], model: lite}]")
    weights = load_weights(name, _store(tmp_path), tmp_path if name == "recipe" else None)
    request = SeparationRequest(weights, CPU, song_s=1, rounds=1, against=("demucs",))
    *_, made = measure_separation(request, TAKEN, _nothing)
    assert made.limit is None
    assert len(made.runs) == 1
    assert made.not_run == {"demucs": f"it does not run {name}"}


def test_a_peer_that_is_not_installed(weights: Weights) -> None:
    with pytest.raises(EngineUnavailable, match="pip install unblend"):
        peers.open_peer("unblend", weights, CPU)


def test_separation_measured() -> None:
    steps: list[str] = []
    request = SeparationRequest(
        smallest(),
        CPU,
        song_s=1,
        rounds=2,
        against=("demucs",),
        sweeps=("batch", "precision"),
        price_per_hour=2.0,
    )
    *grown, made = measure_separation(request, TAKEN, steps.append)
    assert [sum(map(len, one.sweeps.values())) for one in grown][:4] == [0, 1, 2, 3]
    ours, stock = made.runs
    assert stock.label.startswith("demucs 4")
    assert (stock.precision, stock.batch) == ("fp32", 1)
    assert [len(run.rounds_s) for run in made.runs] == [2, 2]
    assert stock.snr_db is None or stock.snr_db > 60
    assert ours.snr_db is None or ours.snr_db > 20
    paired = [theirs / mine for mine, theirs in zip(ours.rounds_s, stock.rounds_s, strict=True)]
    assert made.ratios[0].ratio == pytest.approx(sum(paired) / 2, rel=0.02)
    assert [run.batch for run in made.sweeps["batch"]] == [1, 2, 4]
    assert made.sweeps["precision"][0].snr_db is None
    assert all(run.cost_per_track and run.busy_share for run in made.runs)
    assert any("round 2 of 2" in step for step in steps)
    assert made.limit is not None
    assert made.limit.times_real_time("fp32") > 0
    assert not made.not_run


class Broken:
    """An engine that is there and can't separate."""

    label, precision, batch, compiled = "broken 1", "fp32", None, False

    def __init__(self, _weights: Weights, _device: torch.device) -> None:
        self.calls = 0

    def separate(self, mix: Audio) -> tuple[Tensor, ...]:
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("it broke\nat length")
        return torch.zeros(4, 2, mix.length_samples).unbind()


class NeverReady(Broken):
    """An engine that does not even start."""

    def separate(self, mix: Audio) -> tuple[Tensor, ...]:
        raise ValueError(f"no such thing, nor {mix.length_samples} samples of it")


@pytest.mark.parametrize(("engine", "reason"), [(Broken, "it broke"), (NeverReady, "no such")])
def test_a_peer_that_fails_takes_nothing_with_it(
    engine: type[Broken], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(peers.PEERS, "demucs", engine)
    request = SeparationRequest(smallest(), CPU, song_s=1, rounds=2, against=("demucs",))
    *_, made = measure_separation(request, TAKEN)
    assert [run.label.partition(" ")[0] for run in made.runs] == ["mashup-worker"]
    assert not made.ratios
    (told,) = made.not_run.items()
    assert told[0] == "demucs"
    assert reason in told[1]


def test_unexpected_errors_stop_everything() -> None:
    def stop(_step: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(
            measure_separation(SeparationRequest(smallest(), CPU, song_s=1, rounds=1), TAKEN, stop)
        )


def test_pipeline_measured() -> None:
    request = PipelineRequest(
        weights=smallest(),
        options=EngineOptions(device="cpu"),
        device=CPU,
        work=Work(tracks=3, track_s=2),
        in_flight=(1, 2),
        rounds=2,
    )
    first, made = measure_pipeline(request, TAKEN, _nothing)
    assert first.in_flight == made.in_flight[:1]
    assert [one.songs for one in made.in_flight] == [1, 2]
    for one in made.in_flight:
        assert set(one.stages) == {"decode", "device", "encode"}
        assert one.bottleneck == max(one.stages, key=lambda name: one.stages[name].busy_share)
        assert all(0 < stage.busy_share <= 1 for stage in one.stages.values())
        assert one.run.times_real_time == pytest.approx(6 / one.run.p50_s, rel=1e-2)
    assert made.best in made.in_flight


def test_peers_run_with_default_settings_of_torch_which_are_restored(weights: Weights) -> None:
    """Ours must not run in a peer's TF32, nor search algorithms in every thread."""
    backends: Any = torch.backends

    def apply_model(_bag: object, mix: Tensor, **_: object) -> Tensor:
        assert backends.cudnn.conv.fp32_precision == "tf32"
        assert backends.cuda.matmul.fp32_precision == "ieee"
        backends.cuda.matmul.allow_tf32 = backends.cudnn.benchmark = True
        return mix[None]

    stock = StockEngine(weights, CPU)
    stock._apply = apply_model
    with fp32("ieee"):
        stock.separate(music.song(1.0))
        assert backends.cudnn.conv.fp32_precision == "ieee"
        assert backends.cuda.matmul.fp32_precision == "ieee"
        assert not backends.cudnn.benchmark


def test_a_lost_device_ends_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels may still run on it, and what is measured then is not true."""

    def lose(*_: object, **__: object) -> None:
        raise DeviceLost

    monkeypatch.setattr(torch, "compile", lose)
    request = SeparationRequest(
        weights=smallest(), device=CPU, song_s=0.2, rounds=1, sweeps=("compile",), limit=False
    )
    made = measure_separation(request, TAKEN)
    assert not next(made).sweeps["compile"]
    assert len(next(made).sweeps["compile"]) == 1
    with pytest.raises(DeviceLost):
        next(made)


def test_a_setting_that_fails_costs_a_sweep_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ImportError("no triton\nat length")

    monkeypatch.setattr(torch, "compile", fail)
    request = SeparationRequest(
        weights=smallest(), device=CPU, song_s=0.2, rounds=1, sweeps=("compile",), limit=False
    )
    *_, made = measure_separation(request, TAKEN)
    assert [run.compiled for run in made.sweeps["compile"]] == [False]
    assert made.not_run == {"compile True": "no triton"}


def test_a_core_that_did_not_compile_is_reported_as_it_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Failed to find C compiler.")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: fail)
    weights, options = smallest(), EngineOptions("cpu", "fp32", compile=True)
    request = SeparationRequest(
        weights, CPU, song_s=0.2, rounds=1, options=options, against=("demucs",), limit=False
    )
    *_, separation = measure_separation(request, TAKEN)
    flow = PipelineRequest(
        weights=weights, options=options, device=CPU, work=Work(1, 0.2), in_flight=(1,), rounds=1
    )
    *_, flown = measure_pipeline(flow, TAKEN, _nothing)
    runs = [*separation.runs, *(one.run for one in flown.in_flight)]
    assert [run.compiled for run in runs] == [False] * 3
    assert not separation.ratios[0].compiled


def test_a_song_uses_the_device_until_its_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]

    def finish(device: torch.device) -> None:
        assert device == CPU
        now_s[0] += 5.0

    monkeypatch.setattr("time.perf_counter", lambda: now_s[0])
    monkeypatch.setattr(pipeline, "wait_for", finish)
    watched = pipeline._Watched(Splitter())
    list(watched.stream(music.song(0.1)))
    assert watched.spans_s == [(0.0, 5.0)]


def test_engines_of_a_sweep_are_compiled_after_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch compiles a limited number of shapes, and a sweep has more."""
    import torch._dynamo

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    weights, song = smallest(), music.song(0.14)  # two segments
    with torch._dynamo.config.patch(recompile_limit=1):
        for batch in (1, 2):
            options = EngineOptions("cpu", "fp32", batch=batch, compile=True)
            engine = OurEngine(weights, options)
            assert not engine.compiled
            engine.separate(song)
            assert engine.compiled


@pytest.mark.gpu
def test_on_cuda_our_engine_is_warm_before_it_is_measured(weights: Weights) -> None:
    engine = OurEngine(weights, EngineOptions("cuda", "fp32", batch=1))
    assert isinstance(engine.separator, NetworkSeparator)
    assert all(network.is_captured for network in engine.separator._networks)


@pytest.mark.gpu
@pytest.mark.hardware("a fake one has no rates and runs no kernels")
def test_separation_measured_on_a_gpu(weights: Weights) -> None:
    device = torch.device("cuda", 0)
    request = SeparationRequest(
        weights, device, song_s=20, rounds=2, against=("demucs",), sweeps=("precision",)
    )
    *_, made = measure_separation(request, TAKEN)
    for run in made.runs:
        assert run.busy_share is not None
        assert 0 < run.busy_share <= 1
        assert run.peak_device_bytes is not None
        assert run.peak_device_bytes > 1e6
    assert made.limit is not None
    assert made.limit.to_device_bytes_per_s
    assert {run.precision for run in made.sweeps["precision"]} == set(made.limit.product_rates)


@pytest.mark.gpu
def test_a_song_is_moved_through_pinned_memory(device_budget: DeviceBudget) -> None:
    tiny = Weights("tiny", BagOfModels([tiny_network()]), random=True)
    engine = OurEngine(tiny, EngineOptions("cuda", "bf16", batch=1))
    song = music.song(1.2)
    with device_budget.limit(copy=1):  # the song's level: two numbers
        stems = engine.separate(song)
    assert [stem.device.type for stem in stems] == ["cpu"] * 4
    assert all(stem.shape == song.samples.shape for stem in stems)


@pytest.mark.parametrize(
    ("name", "million"), [("scnet", 10), ("scnet_large", 41), ("kim_vocals", 228)]
)
def test_random_weights_of_another_shape(name: str, million: int, tmp_path: Path) -> None:
    found = load_weights(f"random:{name}", _store(tmp_path), None)
    assert (found.model, found.random) == (name, True)
    (network,) = found.networks
    assert round(sum(one.numel() for one in network.parameters()) / 1e6) == million


def test_engines_of_demucs_networks_refuse_others(tmp_path: Path) -> None:
    weights = load_weights("random:scnet", _store(tmp_path), None)
    with pytest.raises(EngineUnavailable, match="scnet"):
        peers.open_peer("demucs", weights, CPU)
    with pytest.raises(InvalidInput, match="random:scnet"):
        load_weights("random:lite", _store(tmp_path), None)
