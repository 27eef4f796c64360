"""What `NetworkSeparator.warm_up` prepares, and what it leaves alone."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from demucs.apply import BagOfModels
from demucs.htdemucs import HTDemucs

from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.htdemucs.network import HybridNetwork
from tests.checkpoints import HTDEMUCS, random_network
from tests.engines import engine, music, separate

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


@pytest.mark.gpu
def test_algorithms_are_searched_while_warming_up_and_never_in_songs(repository: Path) -> None:
    """Every thread of songs would search again, and with a song of others on the device."""
    searched: list[bool] = []
    separator = engine(repository, "td0", device="cuda", batch=1)
    (network,) = separator._networks
    network.network.register_forward_pre_hook(
        lambda *_: searched.append(torch.backends.cudnn.benchmark)
    )
    separator.warm_up()
    assert searched == [True]
    separate(separator, music(0.1))
    assert searched == [True, False]


@pytest.mark.gpu
def test_a_network_that_does_not_fit_makes_recordings_smaller_in_all_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of larger batches would keep their memory, and never run again."""
    shape = HTDEMUCS | {
        "depth": 1,
        "t_layers": 0,
        "bottom_channels": 0,
        "dconv_mode": 0,
        "segment": Fraction(1, 10),
    }
    bag = BagOfModels([cast("HTDemucs", random_network(HTDemucs, shape, s)) for s in (1, 2)])
    separator = NetworkSeparator("tiny", Bag.of_demucs(bag), EngineOptions("cuda", "fp32", batch=2))
    first, second = separator._networks
    plain = HybridNetwork.forward

    def forward(self: HybridNetwork, windows: Tensor, *args: Any) -> Tensor:
        if self is second.network and len(windows) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return plain(self, windows, *args)

    monkeypatch.setattr(HybridNetwork, "forward", forward)
    separator.warm_up()
    for network in (first, second):
        assert network._captured is not None
        assert sorted(shapes[0][0] for shapes in network._captured._recordings) == [1]
