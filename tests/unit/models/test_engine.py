"""The engine on sound that songs are not made of, and on requests that can't be met."""

from __future__ import annotations

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.metrics import snr_db
from mashup_worker.errors import (
    Canceled,
    DeviceUnavailable,
    InvalidInput,
    ModelUnavailable,
    UnknownModel,
)
from mashup_worker.models.checkpoints.repository import load_bag, weights_sha256
from mashup_worker.models.device import resolve_device, resolve_precision
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from tests.checkpoints import random_network, save_bag, save_th
from tests.engines import RATE_HZ, engine, music, separate

if TYPE_CHECKING:
    from pathlib import Path


SONGS: list[tuple[float, list[str] | None]] = [
    (1.15, None),
    (0.04, None),
    (1.8, ["vocals"]),
    (1.15, ["bass", "drums"]),
]
"""Their lengths in segments, and the stems asked for."""


@pytest.fixture(scope="module")
def separator(repository: Path) -> NetworkSeparator:
    return engine(repository, "td0")


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(torch.zeros(2, 3 * RATE_HZ), id="silence"),
        pytest.param(torch.full((2, RATE_HZ), 0.3), id="DC"),
        pytest.param(0.1 * torch.randn(2, RATE_HZ // 100), id="10 ms"),
        pytest.param(torch.ones(2, 1), id="one sample"),
        pytest.param(torch.eye(2, RATE_HZ), id="clicks"),
    ],
)
@pytest.mark.parametrize("name", ["htdemucs", "hdemucs"])
def test_odd_sound_gives_finite_stems(repository: Path, name: str, samples: torch.Tensor) -> None:
    made = separate(engine(repository, name), Audio(samples, RATE_HZ))
    assert made.shape == (4, *samples.shape)
    assert made.isfinite().all()


def test_silence_gives_silence(separator: NetworkSeparator) -> None:
    made = separate(separator, Audio(torch.zeros(2, RATE_HZ), RATE_HZ))
    assert made.abs().max() < 1e-6


def test_an_empty_mix_gives_nothing(separator: NetworkSeparator) -> None:
    assert list(separator.stream(Audio(torch.zeros(2, 0), RATE_HZ))) == []


@pytest.mark.parametrize("name", ["htdemucs", "hdemucs"])
def test_bf16_stays_within_40_db(repository: Path, name: str) -> None:
    mix = music(2)
    exact = separate(engine(repository, name), mix)
    half = separate(engine(repository, name, precision="bf16"), mix)
    assert 40 < snr_db(half, exact) < 100


@pytest.mark.parametrize(("name", "segment_s"), [("htdemucs", 7.8), ("td0", 3)])
def test_concurrent_songs_equal_separate_songs(
    repository: Path, name: str, segment_s: float
) -> None:
    """Whatever windows share a batch, and whatever is asked of them."""
    separator = engine(repository, name, batch=3)
    songs = [
        (music(segments * segment_s, seed=seed), stems)
        for seed, (segments, stems) in enumerate(SONGS)
    ]
    songs.append((Audio(torch.zeros(2, RATE_HZ), RATE_HZ), None))
    alone = [separate(separator, mix, stems) for mix, stems in songs]
    with ThreadPoolExecutor(len(songs)) as pool:
        jobs = [pool.submit(separate, separator, mix, stems) for mix, stems in songs]
        together = [job.result() for job in jobs]
    for one, other in zip(together, alone, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= 1e-4 * other.abs().max() + 1e-9


def test_stems_come_in_the_order_asked_for(separator: NetworkSeparator) -> None:
    mix = music(2)
    every = separate(separator, mix)
    some = separate(separator, mix, ["vocals", "drums"])
    assert torch.equal(some, every[[3, 0]])


def test_an_unknown_stem_is_refused(separator: NetworkSeparator) -> None:
    with pytest.raises(InvalidInput, match="banjo"):
        separate(separator, music(1), ["banjo"])


def test_progress_grows_to_one_and_can_stop_the_work(separator: NetworkSeparator) -> None:
    shares: list[float] = []
    list(separator.stream(music(8), on_progress=shares.append))
    assert shares == sorted(shares)
    assert len(shares) > 2
    assert shares[-1] == 1

    def stop(share: float) -> None:
        if share > 0.5:
            raise Canceled

    stream = separator.stream(music(8), on_progress=stop)
    with pytest.raises(Canceled):
        list(stream)


def test_memory_does_not_grow_with_the_song(repository: Path) -> None:
    """The engine reads a song piece by piece and hands pieces out as it goes."""

    class Recorder(Audio):
        longest_read = 0

        def read(self, start: int, stop: int) -> torch.Tensor:
            Recorder.longest_read = max(Recorder.longest_read, stop - start)
            return super().read(start, stop)

    mix = music(40)
    separator = engine(repository, "td0", batch=2)
    pieces = [piece.shape[-1] for piece in separator.stream(Recorder(mix.samples, RATE_HZ))]
    assert sum(pieces) == mix.length_samples
    assert max(pieces) <= 3 * 3 * RATE_HZ
    assert Recorder.longest_read < mix.length_samples


@pytest.mark.parametrize(
    "options", [{"shifts": -1}, {"overlap": 1.0}, {"overlap": -0.1}, {"batch": 0}]
)
def test_options_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(options))):
        EngineOptions(**options)  # type: ignore[arg-type]


def test_devices_and_precisions_are_checked() -> None:
    cpu = torch.device("cpu")
    assert resolve_device("cpu") == cpu
    assert resolve_precision("fp32", cpu) == "fp32"
    assert resolve_precision("auto", cpu) in ("fp32", "bf16")
    with pytest.raises(InvalidInput, match="toaster"):
        resolve_device("toaster")
    with pytest.raises(InvalidInput, match="fp8"):
        resolve_precision("fp8", cpu)
    for gpu_only in ("tf32", "fp16"):
        with pytest.raises(InvalidInput, match=gpu_only):
            resolve_precision(gpu_only, cpu)
    with pytest.raises(DeviceUnavailable):
        resolve_device("cuda:99")


class Hostile:
    """Unpickling it would leave a file behind."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.proof), "w")


def test_a_checkpoint_can_not_run_code(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    torch.save({"klass": Hostile(proof)}, tmp_path / "bad.th")
    with pytest.raises(ModelUnavailable, match=r"bad\.th"):
        load_bag("bad", tmp_path)
    assert not proof.exists()


def test_a_checkpoint_of_another_class_is_refused(tmp_path: Path) -> None:
    package = {"klass": dict, "args": (), "kwargs": {}, "state": {}}
    torch.save(package, tmp_path / "odd.th")
    with pytest.raises(ModelUnavailable, match=r"odd\.th"):
        load_bag("odd", tmp_path)


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ({"_dict": [["a", {"_class": "antigravity.fly"}]]}, "antigravity"),
        ({"_dict": [["__quantized", True]]}, "quantized"),
    ],
)
def test_a_safetensors_file_can_not_import_code_or_end_the_process(
    tmp_path: Path, structure: dict[str, object], reason: str
) -> None:
    metadata = {
        "klass": "demucs.hdemucs.HDemucs",
        "args": "[]",
        "kwargs": "{}",
        "structure": json.dumps(structure),
    }
    save_file({"a": torch.zeros(1)}, tmp_path / "bad.safetensors", metadata)
    with pytest.raises(ModelUnavailable, match=reason):
        load_bag("bad", tmp_path)
    assert "antigravity" not in sys.modules


def test_a_quantized_pickle_is_refused(tmp_path: Path) -> None:
    from demucs.hdemucs import HDemucs

    state = {"__quantized": True}
    torch.save({"klass": HDemucs, "args": (), "kwargs": {}, "state": state}, tmp_path / "q.th")
    with pytest.raises(ModelUnavailable, match="quantized"):
        load_bag("q", tmp_path)


def test_damage_is_noticed_by_the_digest_in_the_name(repository: Path, tmp_path: Path) -> None:
    whole = next(repository.glob("hd0-*.th"))
    damaged = bytearray(whole.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / whole.name).write_bytes(damaged)
    with pytest.raises(ModelUnavailable, match="SHA-256"):
        load_bag("hd0", tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty", "", "not a mapping of keys"),
        ("other", "networks: [ht0]", "neither a list of the `models` of a bag nor a configuration"),
        ("broken", "models: [", "not YAML"),
        ("absent", "models: [abc]", "no network 'abc'"),
    ],
)
def test_faults_of_a_repository_are_named(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    (tmp_path / f"{name}.yaml").write_text(content)
    with pytest.raises(ModelUnavailable, match=reason):
        load_bag(name, tmp_path)


@pytest.mark.parametrize("name", ["missing", "../escape", "hd0-", ""])
def test_an_unknown_name_is_answered_with_those_there_are(repository: Path, name: str) -> None:
    with pytest.raises(UnknownModel, match=r"htdemucs_ft, .*hd0"):
        load_bag(name, repository)


def test_a_bag_of_networks_with_different_stems_is_refused(tmp_path: Path) -> None:
    from demucs.hdemucs import HDemucs

    for stems in (["a", "b"], ["a", "c"]):
        options = {"sources": stems, "channels": 4, "dconv_comp": 2, "segment": 4}
        save_th(tmp_path, stems[1], random_network(HDemucs, options, seed=1))
    save_bag(tmp_path, "odd", models=["b", "c"])
    with pytest.raises(ModelUnavailable, match="do not fit together"):
        load_bag("odd", tmp_path)


@pytest.mark.parametrize("weights", [[[1.0, 1.0, 1.0, 0.0]], [[1.0, 1.0]], [1.0], "all"])
def test_a_bag_that_leaves_a_stem_out_is_refused(
    repository: Path, tmp_path: Path, weights: object
) -> None:
    checkpoint = next(repository.glob("hd0-*.th"))
    (tmp_path / checkpoint.name).symlink_to(checkpoint)
    save_bag(tmp_path, "odd", models=["hd0"], weights=weights)
    with pytest.raises(ModelUnavailable, match="do not fit together"):
        load_bag("odd", tmp_path)


def test_weights_are_known_by_the_files_of_their_bag(tmp_path: Path, repository: Path) -> None:
    shutil.copytree(repository, tmp_path / "copy")
    names = ("htdemucs", "htdemucs_safe", "mixed", "ht0", "ht1")
    digests = [weights_sha256(name, repository) for name in names]
    assert digests == [weights_sha256(name, tmp_path / "copy") for name in names]
    assert len(set(digests)) == len(names)
    save_bag(tmp_path / "copy", "htdemucs", models=["ht1"])
    assert weights_sha256("htdemucs", tmp_path / "copy") != digests[0]
    with pytest.raises(UnknownModel):
        weights_sha256("htdemux", repository)
