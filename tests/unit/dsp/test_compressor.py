"""The bus compressor: how much it takes off, and by which ratio."""

from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.compressor import Compression, compress, reduction_db
from tests.unit.mashups import seeded

RATE_HZ = 44_100


def steps(*levels_db: float) -> Audio:
    """Two seconds of a tone at each level."""
    at = torch.arange(2 * RATE_HZ) / RATE_HZ
    tone = torch.sin(2 * math.pi * 1_000 * at)
    samples = torch.cat([10 ** (level / 20) * tone for level in levels_db])
    return Audio(samples.expand(2, -1), RATE_HZ)


def level_db(audio: Audio, second: float) -> float:
    piece = audio.samples[:, round(second * RATE_HZ) : round((second + 0.5) * RATE_HZ)]
    return 10 * math.log10(float(piece.square().mean()))


@pytest.mark.parametrize("ratio", [1.5, 2.0, 4.0])
@pytest.mark.parametrize("wanted_db", [0.5, 2.0, 6.0])
def test_the_90th_percentile_loses_the_requested_gain(ratio: float, wanted_db: float) -> None:
    noise = torch.randn(2, 4 * RATE_HZ, generator=seeded(1)) * torch.linspace(
        0.01, 0.3, 4 * RATE_HZ
    )
    taken = reduction_db(Audio(noise, RATE_HZ), Compression(ratio, wanted_db))
    assert float(taken.quantile(0.9)) == pytest.approx(wanted_db, abs=0.02)


@pytest.mark.parametrize("ratio", [2.0, 4.0])
def test_far_above_the_threshold_levels_differ_by_the_ratio_less(ratio: float) -> None:
    out = compress(steps(-40.0, -10.0, -4.0), Compression(ratio, reduction_db=12.0))
    assert level_db(out, 5.0) - level_db(out, 3.0) == pytest.approx(6 / ratio, abs=0.2)
    assert level_db(out, 1.0) == pytest.approx(-43.0, abs=0.3)


def test_the_balance_of_channels_stays() -> None:
    noise = torch.randn(2, 2 * RATE_HZ, generator=seeded(2)) * torch.tensor([[0.3], [0.01]])
    out = compress(Audio(noise, RATE_HZ), Compression(4.0, 6.0)).samples
    assert torch.allclose(out[0] / noise[0], out[1] / noise[1], rtol=1e-3)


@pytest.mark.parametrize("how", [Compression(1.0, 6.0), Compression(4.0, 0.0)])
def test_a_ratio_of_1_and_a_reduction_of_0_are_no_compressor(how: Compression) -> None:
    audio = steps(-20.0, -6.0)
    assert torch.equal(compress(audio, how).samples, audio.samples)


@pytest.mark.parametrize("samples", [torch.zeros(2, 1_000), torch.zeros(2, 0), torch.ones(1, 1)])
def test_sounds_that_cannot_be_compressed_are_unchanged(samples: torch.Tensor) -> None:
    out = compress(Audio(samples, RATE_HZ), Compression()).samples
    assert out.shape == samples.shape
    assert out.isfinite().all()
