"""Sums between positions against those of the whole signal."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.dsp.running_sums import sums_before
from tests.unit.mashups import seeded


@pytest.mark.parametrize("size", [1, 7, 64, 1_000])
def test_however_the_signal_is_cut(size: int) -> None:
    signal = torch.randn(2, 300, generator=seeded(1))
    positions = torch.tensor([300, 0, 1, 63, 64, 65, 128, 128, 299])
    expected = torch.nn.functional.pad(signal.double().cumsum(1), (1, 0))[:, positions]
    found = sums_before(signal.split(size, dim=1), positions)
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.equal(
        sums_before((part[0] for part in signal.split(size, dim=1)), positions), found[0]
    )


def test_nothing_adds_up_to_nothing() -> None:
    assert sums_before([], torch.tensor([0, 0])).tolist() == [0, 0]
