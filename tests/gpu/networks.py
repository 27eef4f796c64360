"""Networks so small that a GPU test takes a second on a CPU, and sounds to run them on."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import torch
from demucs.apply import BagOfModels
from demucs.htdemucs import HTDemucs

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.metrics import snr_db
from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from tests.checkpoints import HTDEMUCS, random_network
from tests.engines import RATE_HZ, separate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fake_cuda.budget import DeviceBudget

TINY: dict[str, Any] = HTDEMUCS | {"segment": Fraction(1, 2), "t_layers": 1, "dconv_mode": 0}

LEAST_DB = {"fp32": 80, "tf32": 50, "bf16": 35, "fp16": 50}
"""Signal-to-noise ratio of a tiny network on a GPU against the same network in fp32 on the CPU.

fp32 means IEEE: libraries add up in another order, which costs the last bits only. TF32 and fp16
keep 10 bits of mantissa, bf16 keeps 7.
"""


def tiny_network(seed: int = 1) -> HTDemucs:
    """An htdemucs of random weights whose segments last half a second."""
    return cast("HTDemucs", random_network(HTDemucs, TINY, seed))


def tiny_separator(
    device: str, precision: str = "fp32", *, members: int = 1, **options: Any
) -> NetworkSeparator:
    """A separator of tiny networks, each of which makes its share of all stems."""
    bag = BagOfModels([tiny_network(seed) for seed in range(1, members + 1)])
    return NetworkSeparator("tiny", Bag.of_demucs(bag), EngineOptions(device, precision, **options))


def silence(duration_s: float) -> Audio:
    """Stereo silence."""
    return Audio(torch.zeros(2, round(duration_s * RATE_HZ)), RATE_HZ)


def clicks(duration_s: float) -> Audio:
    """Three clicks a second in faint noise: in every segment, peaks far above the level."""
    generator = torch.Generator().manual_seed(0)
    samples = 1e-4 * torch.randn(2, round(duration_s * RATE_HZ), generator=generator)
    samples[:, 1000 :: RATE_HZ // 3] += 0.8
    return Audio(samples, RATE_HZ)


def assert_near(got: torch.Tensor, expected: torch.Tensor, least_db: float) -> None:
    """Check the signal-to-noise ratio; of silence, that it is silent to -120 dBFS."""
    assert got.device.type == expected.device.type == "cpu"
    assert got.shape == expected.shape
    assert got.isfinite().all()
    if expected.abs().max() < 1e-6:
        assert got.abs().max() < 1e-6
    else:
        assert snr_db(got, expected) > least_db


def assert_equals_the_cpu(
    on_gpu: NetworkSeparator,
    on_cpu: NetworkSeparator,
    songs: Sequence[tuple[Audio, list[str] | None]],
    budget: DeviceBudget,
) -> None:
    """Expect the stems of the CPU in fp32 from a captured core, without copies or waits.

    `songs` are mixes with the stems to separate, all of them for None. The first one is streamed
    on the device, too.
    """
    on_gpu.warm_up()
    for mix, stems in songs:
        got, expected = (separate(one, mix, stems) for one in (on_gpu, on_cpu))
        assert_near(got, expected, LEAST_DB[on_gpu.precision])
    (runner,) = on_gpu._networks
    assert runner.is_captured
    song = Audio(songs[0][0].samples.to("cuda"), RATE_HZ)
    blocks = on_gpu.stream(song, on_device=True)
    next(blocks)
    with budget.limit(copy=0, wait=0):
        for block in blocks:
            assert block.device.type == "cuda"
