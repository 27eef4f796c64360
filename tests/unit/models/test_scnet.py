"""SCNet in this package's layout equals the original, in parts and on whole songs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn import functional as F

from mashup_worker.dsp.metrics import snr_db
from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.bag import Bag
from mashup_worker.models.checkpoints.networks import read_configured
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.scnet.convert import convert
from mashup_worker.models.scnet.dual_path import mean_square
from tests.demix import demix
from tests.engines import music, separate
from tests.networks import profile
from tests.scnet import SEGMENT_SAMPLES, STEMS, TINY, converted, reference, separated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

LEAST_HALF_DB = 40
"""Agreement of bf16 with fp32."""

CHUNK = 66_150

SHORT: dict[str, Any] = {"nfft": 1024, "hop_size": 512, "win_size": 1024, "num_dplayer": 2}
"""Fewer frames and layers, for songs of many windows."""

VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "masked": {"masked": True},
    "mono": {"audio_channels": 1, "dims": [2, 8, 12]},
    "masked mono": {"masked": True, "audio_channels": 1, "dims": [2, 8, 12]},
    "one stem": {"sources": ["vocals"]},
    "other bands": {"band_SR": [0.3, 0.3, 0.4], "band_stride": [2, 1, 8], "band_kernel": [2, 5, 8]},
    "no branches in a band": {"conv_depths": [1, 0, 2]},
    "wider recurrences": {"expand": 2, "compress": 2, "conv_kernel": 5},
    "short windows": {"win_size": 300, "hop_size": 100, "normalized": False},
}


def windows(count: int = 1, samples: int = SEGMENT_SAMPLES, channels: int = 2) -> Tensor:
    mixes = [music(samples / 44_100, seed).samples for seed in range(count)]
    return torch.stack([F.pad(mix, (0, samples - mix.shape[1]))[:channels] for mix in mixes])


def worst(got: Tensor, expected: Tensor) -> float:
    """Return the greatest error as a share of the peak."""
    assert got.shape == expected.shape
    return float((got - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_original(variant: str) -> None:
    options = VARIANTS[variant]
    original = reference(**options)
    parameters = {name: value for name, value in options.items() if name != "masked"}
    made = converted(original, **parameters)
    mix = windows(channels=original.audio_channels)
    with torch.no_grad():
        assert worst(made(mix), separated(original, mix)) < 1e-5


@pytest.mark.parametrize("samples", [128 * 80, 128 * 81 - 1, 128 * 81, 128 * 81 + 1])
def test_windows_of_any_length_get_an_even_number_of_frames(samples: int) -> None:
    original = reference()
    mix = windows(samples=samples)
    with torch.no_grad():
        got = converted(original, samples)(mix)
    assert worst(got, separated(original, mix)) < 1e-5


@pytest.mark.parametrize("masked", [False, True])
def test_windows_of_a_batch_do_not_depend_on_each_other(masked: bool) -> None:
    network, mixes = converted(reference(masked=masked)), windows(3)
    with torch.no_grad():
        together, alone = network(mixes), torch.cat([network(mix[None]) for mix in mixes])
    assert worst(together, alone) < 1e-5


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rows", [[2], [3, 0]])
def test_only_the_stems_asked_for_are_transformed_back(
    masked: bool, rows: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, mix = converted(reference(masked=masked)), windows()
    with torch.no_grad():
        every = network(mix)
        inverse, shapes = network.spectrum.inverse, []

        def recorded(spectrogram: Tensor) -> Tensor:
            shapes.append(spectrogram.shape)
            return inverse(spectrogram)

        monkeypatch.setattr(network.spectrum, "inverse", recorded)
        assert torch.equal(network(mix, rows), every[:, rows])
    assert shapes == [(1, 2, network.spectrum.frames, TINY["nfft"] // 2 + 1)] * len(rows)


@pytest.mark.parametrize("masked", [False, True])
def test_silence_gives_finite_stems(masked: bool) -> None:
    original = reference(masked=masked)
    silence = torch.zeros(1, 2, SEGMENT_SAMPLES)
    with torch.no_grad():
        made = converted(original)(silence)
    assert made.isfinite().all()
    torch.testing.assert_close(made, separated(original, silence), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("gain", [1, math.sqrt(3)])
def test_bf16_is_near_fp32(masked: bool, gain: float) -> None:
    original, mixes = reference(masked=masked, gain=gain), windows(2)
    exact, half = converted(original), converted(original)
    half.core.cast(torch.bfloat16)
    with torch.no_grad():
        assert snr_db(half(mixes), exact(mixes)) > LEAST_HALF_DB


def test_the_core_compiles_as_one_graph() -> None:
    network = converted(reference(masked=True, num_dplayer=2), num_dplayer=2)
    with torch.no_grad():
        expected = network(windows())
        network.run_core_by(torch.compile(network.core, fullgraph=True, backend="aot_eager"))
        assert worst(network(windows()), expected) < 1e-5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dims": [6, 8, 12]}, "dims: "),
        ({"audio_channels": 1}, "audio_channels: 1 instead of 2"),
        ({"num_dplayer": 3}, "num_dplayer: 3 instead of an even number"),
        ({"hop_size": 600}, "hop_size: "),
        ({"win_size": 1024}, "win_size: "),
        ({"band_kernel": [3, 5, 16]}, "band_kernel: 5 with stride 4"),
        ({"band_SR": [0.5, 0.5]}, "band_SR: "),
        ({"band_SR": [0.5, 0.5, 0.0]}, "band_SR: "),
        ({"conv_kernel": 4}, "conv_kernel: "),
        ({"expand": 2}, r"separation_net.*: shape .* instead of "),
        ({"num_dplayer": 6}, r"separation_net\.dp_modules\.4.*: missing"),
        ({"num_dplayer": 2}, r"separation_net\.dp_modules\.2.*: .*not supported"),
    ],
)
def test_parameters_that_do_not_fit_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelUnavailable, match=f"^{message}"):
        converted(reference(), **changes)


@pytest.mark.parametrize("drop", ["pos_embed_f", "mask_layer.2.bias"])
def test_half_a_masked_checkpoint_is_refused(drop: str) -> None:
    state = reference(masked=True).state_dict()
    del state[drop]
    with pytest.raises(ModelUnavailable, match=r"^mask_layer"):
        convert(state, TINY, profile(*STEMS, segment_samples=SEGMENT_SAMPLES))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "duration_s",
    [0.5, CHUNK / 44_100, 1.3 * CHUNK / 44_100, 9, pytest.param(23, marks=pytest.mark.slow)],
)
def test_whole_songs_equal_the_inference_of_the_original(
    masked: bool, duration_s: float, tmp_path: Path
) -> None:
    original = reference(masked=masked, **SHORT)
    torch.save({"state_dict": original.state_dict()}, tmp_path / "network.ckpt")
    config = {
        "model_type": "scnet_masked" if masked else "scnet",
        "audio": {"sample_rate": 44_100, "num_channels": 2, "chunk_size": CHUNK},
        "model": TINY | SHORT,
        "training": {"instruments": list(STEMS)},
        "inference": {"num_overlap": 2},
    }
    checkpoint = read_configured(tmp_path / "network.ckpt", config, "network.yaml")
    separator = NetworkSeparator(
        "scnet", Bag.of(checkpoint.network), EngineOptions("cpu", "fp32", batch=2)
    )
    mix = music(duration_s)
    expected = demix(lambda window: separated(original, window), mix.samples, CHUNK, 2)
    assert worst(separate(separator, mix), expected) < 1e-4


def test_levels_of_long_segments_are_exact() -> None:
    x = torch.randn(2, 2, 238, 350, 32, generator=torch.Generator().manual_seed(3))
    exact = x.double().square().mean((1, 2, 3, 4), keepdim=True)
    assert torch.allclose(mean_square(x).double(), exact, rtol=1e-6)
