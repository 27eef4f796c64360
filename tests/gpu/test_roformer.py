"""RoFormers on a GPU give what they give on the CPU, captured, and the host never waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from tests.gpu.networks import assert_equals_the_cpu, silence
from tests.roformer import converted, recording, reference

if TYPE_CHECKING:
    from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.gpu

_COMMON: dict[str, Any] = {"depth": 1, "stft_n_fft": 256, "stft_win_length": 256}

SMALLEST: dict[str, dict[str, Any]] = {
    "mel_band_roformer": _COMMON | {"num_bands": 8},
    "bs_roformer": _COMMON | {"freqs_per_bands": [8] * 8 + [32, 33]},
}


def separator(architecture: str, device: str, precision: str) -> NetworkSeparator:
    options = SMALLEST[architecture]
    network = converted(architecture, reference(architecture, **options), **options)
    return NetworkSeparator(
        architecture, Bag.of(network), EngineOptions(device, precision, batch=3)
    )


@pytest.mark.parametrize("architecture", SMALLEST)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_equals_the_cpu(architecture: str, precision: str, device_budget: DeviceBudget) -> None:
    on_gpu = separator(architecture, "cuda", precision)
    on_cpu = separator(architecture, "cpu", "fp32")
    songs = ((recording(1.9), None), (recording(0.1), ["bass"]), (silence(1), None))
    assert_equals_the_cpu(on_gpu, on_cpu, songs, device_budget)
