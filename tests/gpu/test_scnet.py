"""SCNet on a GPU gives what it gives on the CPU, captured, and the host never waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from tests.engines import music
from tests.gpu.networks import assert_equals_the_cpu, silence
from tests.scnet import converted, reference

if TYPE_CHECKING:
    from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.gpu

SMALLEST: dict[str, Any] = {"num_dplayer": 2, "conv_depths": [1, 1, 1], "hop_size": 256}


def separator(device: str, precision: str, *, masked: bool) -> NetworkSeparator:
    network = converted(reference(masked=masked, **SMALLEST), **SMALLEST)
    return NetworkSeparator("scnet", Bag.of(network), EngineOptions(device, precision, batch=3))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_equals_the_cpu(precision: str, masked: bool, device_budget: DeviceBudget) -> None:
    on_gpu = separator("cuda", precision, masked=masked)
    on_cpu = separator("cpu", "fp32", masked=masked)
    songs = ((music(1.9), None), (music(0.1), ["vocals"]), (silence(1), None))
    assert_equals_the_cpu(on_gpu, on_cpu, songs, device_budget)


@pytest.mark.hardware("cuDNN, which the fake device lacks")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_weights_of_recurrent_layers_are_one_block_for_cudnn(precision: str) -> None:
    """torch warns of others at every run, and copies them."""
    network = separator("cuda", precision, masked=False)._networks[0].network
    for recurrence in network.modules():
        if isinstance(recurrence, torch.nn.LSTM):
            storages = {one.untyped_storage().data_ptr() for one in recurrence.parameters()}
            assert len(storages) == 1
