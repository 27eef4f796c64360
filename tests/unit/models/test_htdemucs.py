"""The converted network gives what the network that it comes from gives."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
import torch
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from torch import Tensor

from mashup_worker.dsp.metrics import snr_db
from mashup_worker.models.fp32 import fp32
from mashup_worker.models.htdemucs.convert import NotConvertible, convert, converted
from mashup_worker.models.htdemucs.network import HybridNetwork
from mashup_worker.models.htdemucs.spectrum import Spectrum
from mashup_worker.models.layers import Convolution
from mashup_worker.models.runner import Arithmetic, NetworkRunner
from tests.checkpoints import HDEMUCS, HTDEMUCS, random_network

if TYPE_CHECKING:
    from tests.fake_cuda.budget import DeviceBudget

CPU = torch.device("cpu")
SHORT: dict[str, Any] = HTDEMUCS | {"segment": Fraction(1, 2)}
LENGTH = 22_050

KINDS: dict[str, dict[str, Any]] = {
    "as published": {
        "t_norm_in": True,
        "t_norm_first": True,
        "t_norm_out": True,
        "t_layer_scale": True,
    },
    "branches in the decoders too": {"dconv_mode": 3},
    "no branches": {"dconv_mode": 0},
    "no transformer": {"t_layers": 0, "bottom_channels": 0},
    "a transformer as wide as the encoders": {"bottom_channels": 0, "channels": 8},
    "the time branch looks first": {"t_cross_first": True},
    "tokens normed together": {"t_norm_in": False, "t_norm_in_group": 1, "t_group_norm": 1},
    "no embedding, no norms out": {"freq_emb": 0, "t_norm_out": False, "t_layer_scale": False},
    "six stems": {"sources": ["drums", "bass", "other", "vocals", "guitar", "piano"]},
    "an odd length": {"segment": Fraction(22_049, 44_100)},
}


def network(**options: Any) -> Any:
    return random_network(HTDemucs, SHORT | options, seed=1)


def sounds(length: int = LENGTH) -> Tensor:
    """Noise, silence, one click, bursts in silence, a constant, and very soft noise."""
    noise = torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    click, bursts = torch.zeros(2, length), noise.clone()
    click[:, length // 2] = 1
    bursts[:, 2000:] *= torch.arange(2000, length) % 20_000 < 300
    return torch.stack(
        [
            0.3 * noise,
            torch.zeros(2, length),
            click,
            bursts,
            torch.full((2, length), 0.2),
            1e-6 * noise,
        ]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_original(kind: str) -> None:
    original = network(**KINDS[kind])
    windows = sounds(int(original.segment * original.samplerate))
    with torch.no_grad():
        expected = original(windows)
        got = convert(original)(windows)
    assert got.shape == expected.shape
    for mine, theirs in zip(got, expected, strict=True):
        assert (mine - theirs).abs().max() <= 2e-5 * theirs.abs().max() + 1e-9


@torch.no_grad()
def test_windows_of_a_batch_do_not_touch_each_other() -> None:
    converted, windows = convert(network()), sounds()
    together = converted(windows)
    for alone, estimate in zip(windows, together, strict=True):
        assert torch.allclose(converted(alone[None])[0], estimate, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_rows_asked_for_are_those_of_all() -> None:
    converted, windows = convert(network()), sounds()[:2]
    assert torch.equal(converted(windows, [3, 1]), converted(windows)[:, [3, 1]])


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "least_db"), [(torch.bfloat16, 35), (torch.float16, 50)])
def test_half_precision_stays_near(dtype: torch.dtype, least_db: float) -> None:
    original, windows = network(), sounds()[:1]
    converted = convert(original)
    converted.core.cast(dtype)
    assert least_db < snr_db(converted(windows), original(windows)) < 100


def _is_aligned(network: HybridNetwork) -> bool:
    convolutions = [one for one in network.modules() if isinstance(one, Convolution)]
    return all(not count % 8 for one in convolutions for count in one.weight.shape[:2])


@torch.no_grad()
@pytest.mark.parametrize("kind", ["as published", "branches in the decoders too"])
def test_channels_added_for_matrix_units_change_nothing(kind: str) -> None:
    converted, windows = convert(network(**KINDS[kind])), sounds()[:3]
    expected = converted(windows)
    converted.core.align_channels()
    assert _is_aligned(converted)
    for mine, theirs in zip(converted(windows), expected, strict=True):
        assert (mine - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_the_core_is_run_by_another_as_often_as_one_likes() -> None:
    """By a module, such as `torch.compile` makes, and by a function."""
    converted, windows = convert(network()), sounds()[:1]
    names, expected = list(converted.state_dict()), converted(windows)
    module: Any = torch.nn.Identity()
    module.forward = converted.core.forward
    for run in (module, lambda x, xt: converted.core(x, xt), module):
        converted.run_core_by(run)
        assert torch.equal(converted(windows), expected)
        assert list(converted.state_dict()) == names


def test_the_original_can_be_thrown_away() -> None:
    """Nothing of it is shared, or memory would hold both."""
    original = network()
    theirs = {tensor.data_ptr() for tensor in original.state_dict().values()}
    mine = {tensor.data_ptr() for tensor in convert(original).state_dict().values()}
    assert not theirs & mine


@pytest.mark.parametrize(
    "options",
    [
        {"t_emb": "cape"},
        {"t_gelu": False},
        {"norm_starts": 0},
        {"cac": False},
        {"multi_freqs": [0.5], "context": 0},
        {"use_train_segment": False},
    ],
    ids=str,
)
def test_unknown_structures_are_left_unchanged(options: dict[str, Any]) -> None:
    original = network(**options)
    with pytest.raises(NotConvertible):
        convert(original)
    windows = sounds()[:1]
    made = NetworkRunner(converted(original), Arithmetic(CPU, "fp32")).run(windows, [0, 1, 2, 3])
    with torch.no_grad():
        assert torch.allclose(made, original(windows), atol=1e-5)


def test_networks_of_other_classes_are_left_as_they_are() -> None:
    with pytest.raises(NotConvertible, match="HDemucs"):
        convert(random_network(HDemucs, HDEMUCS, seed=1))


def test_published_networks_are_converted() -> None:
    assert isinstance(converted(network()), HybridNetwork)


@pytest.mark.parametrize("length", [66_150, 66_149, 65_536, 3000, 500])
def test_the_transforms_are_those_of_demucs(length: int) -> None:
    spectrum, waves = Spectrum(4096, length), torch.randn(3, 2, length)
    original = network()
    expected = original._spec(waves)
    got = spectrum(waves)
    assert torch.allclose(got, expected.transpose(-1, -2), atol=1e-5)
    expected_back = original._ispec(expected, length)
    back = torch.view_as_real(torch.nn.functional.pad(got, (0, 1))).contiguous()
    assert torch.allclose(spectrum.inverse(back), expected_back, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("precision", "compiled", "least_db"),
    [
        ("fp32", False, 80),
        ("tf32", False, 50),
        ("bf16", False, 35),
        ("fp16", False, 50),
        ("fp16", True, 50),
    ],
)
def test_the_captured_network_equals_the_cpu(
    precision: Any, compiled: bool, least_db: float, device_budget: DeviceBudget
) -> None:
    if precision == "tf32":
        device_budget.allow("tf32")
    original = network()
    windows = sounds(int(original.segment * original.samplerate))[:1].expand(2, -1, -1)
    with torch.no_grad():
        expected = original(windows)
    with fp32("tf32" if precision == "tf32" else "ieee"):
        ready = NetworkRunner(
            converted(original), Arithmetic(torch.device("cuda", 0), precision, compiled)
        )
        for count in (2, 1, 2):  # recorded, recorded, replayed
            made = ready.run(windows[:count].to("cuda"), [0, 1, 2, 3])
            assert snr_db(made.cpu(), expected[:count]) > least_db
    assert ready.is_captured
    assert ready.is_compiled == compiled
    assert isinstance(ready.network, HybridNetwork)
    assert _is_aligned(ready.network) == (precision in ("bf16", "fp16"))
