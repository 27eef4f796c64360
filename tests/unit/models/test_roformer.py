"""RoFormers in this package's layout equal the reference, in parts and on whole songs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import librosa
import pytest
import torch
from torch.nn import functional as F

from mashup_worker.dsp.metrics import snr_db
from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.bag import Bag
from mashup_worker.models.checkpoints.networks import read_configured
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.roformer.bands import mel_bands
from mashup_worker.models.roformer.convert import convert
from tests.demix import demix
from tests.engines import separate
from tests.networks import profile
from tests.roformer import SEGMENT_SAMPLES, STEMS, TINY, converted, recording, reference, separated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

MOST_ERROR = 1e-5
"""As a share of the peak."""

LEAST_HALF_DB = 40
"""Agreement of half precision with fp32."""

CHUNK = 66_150

SHORT: dict[str, Any] = {"stft_n_fft": 1024, "stft_hop_length": 441, "stft_win_length": 1024}
"""Fewer frames, for songs of many windows."""

SHORT_BANDS: dict[str, dict[str, Any]] = {
    "mel_band_roformer": {"num_bands": 30},
    "bs_roformer": {"freqs_per_bands": [4] * 16 + [16] * 8 + [64] * 5 + [1]},
}

VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "mono": {"stereo": False},
    "one stem": {"num_stems": 1},
    "skips": {"skip_connection": True, "depth": 3},
    "deep transformers": {"time_transformer_depth": 2, "freq_transformer_depth": 3},
    "other hops": {"stft_hop_length": 100},
    "normalized": {"stft_normalized": True},
    "with the mean": {"zero_dc": False},
    "deep masks": {"mask_estimator_depth": 3, "mlp_expansion_factor": 2},
    "shallow masks": {"mask_estimator_depth": 1},
}

ONLY_BS: dict[str, dict[str, Any]] = {
    "short windows": {"stft_win_length": 300},
    "shared biases": {"use_shared_bias": True},
}

CASES = [(kind, name) for kind in TINY for name in VARIANTS] + [
    ("bs_roformer", name) for name in ONLY_BS
]

BOTH = pytest.mark.parametrize("architecture", TINY)


def windows(count: int = 1, samples: int = SEGMENT_SAMPLES, channels: int = 2) -> Tensor:
    mixes = [recording(samples / 44_100, seed).samples for seed in range(count)]
    return torch.stack([F.pad(mix, (0, samples - mix.shape[1]))[:channels] for mix in mixes])


def worst(got: Tensor, expected: Tensor) -> float:
    """Return the greatest error as a share of the peak."""
    assert got.shape == expected.shape
    return float((got - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("architecture", "variant"), CASES)
def test_equals_the_reference(architecture: str, variant: str) -> None:
    options = (VARIANTS | ONLY_BS)[variant]
    original = reference(architecture, **options)
    made = converted(architecture, original, **options)
    mix = windows(channels=made.profile.channels)
    with torch.no_grad():
        assert worst(made(mix), separated(original, mix)) < MOST_ERROR


@BOTH
@pytest.mark.parametrize("samples", [300, 12_799, 12_801])
def test_windows_of_any_length_come_back_whole(architecture: str, samples: int) -> None:
    original, mix = reference(architecture), windows(samples=samples)
    with torch.no_grad():
        got = converted(architecture, original, samples)(mix)
    assert worst(got, separated(original, mix)) < MOST_ERROR


@BOTH
def test_norms_of_outputs_are_those_of_the_checkpoint(architecture: str) -> None:
    original = reference(architecture, norm_output=architecture == "bs_roformer")
    mix = windows()
    with torch.no_grad():
        got = converted(architecture, original)(mix)
    assert worst(got, separated(original, mix)) < MOST_ERROR


_DEFAULTS = {"sample_rate": 44_100, "zero_dc": True, "skip_connection": False}


def test_attention_without_gates_equals_attention_with_open_gates() -> None:
    original = reference("mel_band_roformer")
    closed, opened = original.state_dict(), original.state_dict()
    for name in list(closed):
        if "to_gates" in name:
            opened[name] = torch.full_like(opened[name], 0 if name.endswith("weight") else 100)
            del closed[name]
    given = converted("mel_band_roformer", original)
    parameters = TINY["mel_band_roformer"] | _DEFAULTS
    with torch.no_grad():
        made = [convert(state, parameters, given.profile)(windows()) for state in (closed, opened)]
    assert worst(*made) < MOST_ERROR


@BOTH
def test_windows_of_a_batch_do_not_depend_on_each_other(architecture: str) -> None:
    network, mixes = converted(architecture, reference(architecture)), windows(3)
    with torch.no_grad():
        together, alone = network(mixes), torch.cat([network(mix[None]) for mix in mixes])
    assert worst(together, alone) < MOST_ERROR


@BOTH
@pytest.mark.parametrize("rows", [[1], [1, 0]])
def test_only_the_stems_asked_for_are_estimated(architecture: str, rows: Sequence[int]) -> None:
    network, mix = converted(architecture, reference(architecture)), windows()
    estimated = []
    with torch.no_grad():
        every = network(mix)
        for row, estimator in enumerate(network.core.estimators):
            estimator.register_forward_pre_hook(lambda *_, row=row: estimated.append(row))
        assert torch.equal(network(mix, rows), every[:, rows])
    assert estimated == list(rows)


@BOTH
def test_silence_gives_silence(architecture: str) -> None:
    network = converted(architecture, reference(architecture))
    with torch.no_grad():
        assert not network(torch.zeros(2, 2, SEGMENT_SAMPLES)).any()


@BOTH
@pytest.mark.parametrize("level", [1e-7, 1e-3, 100.0])
def test_every_level_equals_the_reference(architecture: str, level: float) -> None:
    original, mix = reference(architecture), level * windows()
    with torch.no_grad():
        got = converted(architecture, original)(mix)
    assert worst(got, separated(original, mix)) < MOST_ERROR


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_near_fp32(architecture: str, dtype: torch.dtype) -> None:
    original, mixes = reference(architecture), windows(2)
    exact, half = (converted(architecture, original) for _ in range(2))
    half.core.cast(dtype).align_channels()
    with torch.no_grad():
        assert snr_db(half(mixes), exact(mixes)) > LEAST_HALF_DB


@BOTH
def test_the_core_compiles_as_one_graph(architecture: str) -> None:
    network = converted(architecture, reference(architecture))
    with torch.no_grad():
        expected = network(windows())
        network.run_core_by(torch.compile(network.core, fullgraph=True, backend="aot_eager"))
        assert worst(network(windows()), expected) < MOST_ERROR


@pytest.mark.parametrize(
    ("count", "sample_rate", "size"), [(60, 44_100, 2048), (64, 48_000, 4096), (20, 44_100, 512)]
)
def test_mel_bands_are_those_of_the_filters_of_librosa(
    count: int, sample_rate: int, size: int
) -> None:
    filters = torch.from_numpy(librosa.filters.mel(sr=sample_rate, n_fft=size, n_mels=count)) > 0
    filters[0, 0] = filters[-1, -1] = True
    expected = tuple(tuple(row.nonzero().flatten().tolist()) for row in filters)
    assert mel_bands(count, sample_rate, size).frequencies == expected


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        ("bs_roformer", {"linear_transformer_depth": 1}, "linear_transformer_depth: "),
        ("bs_roformer", {"depth": 3}, "depth: 3, but the weights are of 2"),
        ("bs_roformer", {"num_stems": 1}, "num_stems: 1, but the weights are of 2"),
        ("bs_roformer", {"time_transformer_depth": 2}, "time_transformer_depth: 2"),
        ("bs_roformer", {"freq_transformer_depth": 2}, "freq_transformer_depth: 2"),
        ("bs_roformer", {"freqs_per_bands": [1] * 256}, "freqs_per_bands: 256 frequencies"),
        ("bs_roformer", {"freqs_per_bands": [57, 100, 100]}, r"band_split.*: shape "),
        ("bs_roformer", {"stereo": False}, r"band_split.*: shape "),
        ("bs_roformer", {"heads": 4}, r"layers.*to_qkv.*: shape "),
        ("bs_roformer", {"dim": 16}, r"band_split.*: shape "),
        ("mel_band_roformer", {"num_bands": 21}, r"band_split.*: shape "),
        ("mel_band_roformer", {"num_bands": 200}, r"band_split.*: shape "),
    ],
)
def test_parameters_that_do_not_fit_are_named(
    architecture: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelUnavailable, match=f"^{message}"):
        converted(architecture, reference(architecture), **changes)


@pytest.mark.parametrize(
    "name",
    [
        "layers.1.0.layers.0.0.to_value_residual_mix.weight",
        "layers.0.0.layers.0.0.branch.norm.gamma",
        "layers.0.0.layers.0.0.pope_embed.bias",
        "mask_estimators.0.segm.stem.weight",
    ],
)
def test_weights_of_other_kinds_of_networks_are_named(name: str) -> None:
    original = reference("bs_roformer")
    parameters = TINY["bs_roformer"] | _DEFAULTS
    made = profile(*STEMS[:2], segment_samples=SEGMENT_SAMPLES)
    with pytest.raises(ModelUnavailable, match=f"^{name}: .* not supported"):
        convert(original.state_dict() | {name: torch.zeros(1)}, parameters, made)


@BOTH
@pytest.mark.parametrize(
    "duration_s",
    [0.5, CHUNK / 44_100, 1.3 * CHUNK / 44_100, 9, pytest.param(23, marks=pytest.mark.slow)],
)
def test_whole_songs_equal_the_inference_of_the_reference(
    architecture: str, duration_s: float, tmp_path: Path
) -> None:
    options = SHORT | SHORT_BANDS[architecture]
    original = reference(architecture, **options)
    torch.save({"state_dict": original.state_dict()}, tmp_path / "network.ckpt")
    config = {
        "audio": {"sample_rate": 44_100, "num_channels": 2, "chunk_size": CHUNK},
        "model": TINY[architecture] | options,
        "training": {"instruments": list(STEMS[:2])},
        "inference": {"num_overlap": 2},
    }
    checkpoint = read_configured(tmp_path / "network.ckpt", config, "network.yaml")
    separator = NetworkSeparator(
        architecture, Bag.of(checkpoint.network), EngineOptions("cpu", "fp32", batch=2)
    )
    mix = recording(duration_s)
    expected = demix(lambda window: separated(original, window), mix.samples, CHUNK, 2)
    assert worst(separate(separator, mix), expected) < MOST_ERROR
