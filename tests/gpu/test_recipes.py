"""A chain of networks keeps a song on the device, and gives what it gives on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import yaml

from mashup_worker.audio.signal import Audio
from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.recipes.document import read_recipe
from mashup_worker.models.recipes.separator import RecipeSeparator
from tests.engines import music, separate
from tests.gpu.networks import LEAST_DB, assert_near, silence, tiny_separator
from tests.gpu.test_cut import GainNetwork

if TYPE_CHECKING:
    from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.gpu

RECIPE = """
steps:
  - {stems: [vocals], model: gain}
  - stems: [drums, bass, other]
    models: [demucs, {model: second, weights: {bass: 2, other: 1}}]
remainder: other
"""


def chain(device: str) -> RecipeSeparator:
    options = EngineOptions(device, "fp32", batch=2)
    models = {
        "gain": NetworkSeparator("gain", Bag.of(GainNetwork()), options),
        "demucs": tiny_separator(device, batch=2),
        "second": tiny_separator(device, members=2, batch=2),
    }
    return RecipeSeparator("chain", read_recipe(yaml.safe_load(RECIPE), "chain"), models)


def test_equals_the_cpu_on_both_paths(device_budget: DeviceBudget) -> None:
    on_gpu, on_cpu = chain("cuda"), chain("cpu")
    on_gpu.warm_up()
    for mix in (music(1.3), music(0.1), silence(0.6)):
        expected = separate(on_cpu, mix)
        assert_near(separate(on_gpu, mix), expected, LEAST_DB["fp32"])
        there = Audio(mix.samples.to("cuda"), mix.sample_rate)
        # Each model of Demucs measures the level of the remainder.
        with device_budget.limit(read=2, copy=2):
            blocks = list(on_gpu.stream(there, on_device=True))
        assert all(block.is_cuda for block in blocks)
        assert_near(torch.cat(blocks, -1).cpu(), expected, LEAST_DB["fp32"])
