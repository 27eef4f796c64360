"""A network with another cut, a complement and a core of one tensor runs as on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.network import NetworkCore, SeparationNetwork
from mashup_worker.models.segments import Cut
from tests.engines import music, separate
from tests.gpu.networks import LEAST_DB, assert_near, silence
from tests.networks import profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.gpu

SEGMENT_SAMPLES = 22_050


class GainCore(NetworkCore):
    """One product of the channels with random weights."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(2, 2, generator=torch.Generator().manual_seed(1))
        self.weight = nn.Parameter(weight, False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        (x,) = inputs
        return (self.weight @ x.flatten(2),)


class GainNetwork(SeparationNetwork):
    """Network that computes vocals; the engine computes the rest."""

    core: NetworkCore

    def __init__(self) -> None:
        made = profile(
            "vocals",
            segment_samples=SEGMENT_SAMPLES,
            cut=Cut.msst(SEGMENT_SAMPLES, 4),
            complement="other",
        )
        super().__init__(made, GainCore())

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        (made,) = self.run_core(windows.to(self.core.dtype))
        return (windows - made)[:, None, :][:, : None if rows is None else len(rows)]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_equals_the_cpu(precision: str, device_budget: DeviceBudget) -> None:
    on_gpu, on_cpu = (
        NetworkSeparator("gain", Bag.of(GainNetwork()), EngineOptions(*how, batch=3))
        for how in (("cuda", precision), ("cpu", "fp32"))
    )
    on_gpu.warm_up()
    for mix in (music(2.3), music(0.1), silence(1)):
        assert_near(separate(on_gpu, mix), separate(on_cpu, mix), LEAST_DB[precision])
    (runner,) = on_gpu._networks
    assert runner.is_captured
    with device_budget.limit(copy=0):
        for _ in on_gpu.stream(music(1.0), on_device=True):
            pass
