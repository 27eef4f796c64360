"""Songs on a GPU: alone or several at once, they are what the CPU makes of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import torch
from demucs.apply import BagOfModels

from mashup_worker.audio.signal import Audio
from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from tests.engines import music, separate
from tests.gpu.networks import LEAST_DB, assert_near, clicks, silence, tiny_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tests.fake_cuda.budget import DeviceBudget

    Song = tuple[Audio, Sequence[str] | None]

pytestmark = pytest.mark.gpu

SONGS: list[Song] = [
    (music(1.1), None),
    (music(0.7, seed=1), ["vocals"]),
    (music(0.2, seed=2), None),  # shorter than a segment
    (silence(0.4), None),
    (music(0.6, seed=3), ["bass", "drums"]),
]


def separate_at_once(separator: NetworkSeparator, songs: list[Song]) -> list[Tensor]:
    with ThreadPoolExecutor(len(songs)) as pool:
        return list(pool.map(lambda song: separate(separator, *song), songs))


@pytest.fixture(scope="module")
def alone(on_cpu: NetworkSeparator) -> list[Tensor]:
    """What the CPU makes of each song."""
    return [separate(on_cpu, *song) for song in SONGS]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_concurrent_songs_equal_separate_songs(
    precision: str, warm: Callable[[str], NetworkSeparator], alone: list[Tensor]
) -> None:
    """Whichever windows share a batch."""
    for got, expected in zip(separate_at_once(warm(precision), SONGS), alone, strict=True):
        assert_near(got, expected, LEAST_DB[precision])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_host_never_waits_while_a_song_on_the_device_is_separated(
    precision: str, warm: Callable[[str], NetworkSeparator], device_budget: DeviceBudget
) -> None:
    """The level is read before the first block; from then on windows only get enqueued."""
    mix = music(1.8)
    song = Audio(mix.samples.to("cuda"), mix.sample_rate)
    blocks = warm(precision).stream(song, on_device=True)
    made = [next(blocks)]
    with device_budget.limit(read=0, copy=0, wait=0):
        made += blocks
    assert len(made) == 5
    assert sum(block.shape[-1] for block in made) == mix.length_samples
    assert all(block.device.type == "cuda" for block in made)


def test_fp16_windows_of_high_crest_run_in_fp32(
    warm: Callable[[str], NetworkSeparator], on_cpu: NetworkSeparator
) -> None:
    """Alone, and beside a song that runs in fp16."""
    loud, sparse = music(0.6), clicks(0.6)
    expected = separate(on_cpu, sparse)
    assert_near(separate(warm("fp16"), sparse), expected, LEAST_DB["fp32"])
    together = separate_at_once(warm("fp16"), [(loud, None), (sparse, None)])
    assert_near(together[0], separate(on_cpu, loud), LEAST_DB["fp16"])
    assert_near(together[1], expected, LEAST_DB["fp32"])


def overflowing_bag() -> Bag:
    """A network whose last layer leaves the range of fp16 where its input is not silent."""
    network: Any = tiny_network()
    with torch.no_grad():
        network.tdecoder[-1].conv_tr.weight.mul_(1e6)
    return Bag.of_demucs(BagOfModels([network]))


def test_fp16_windows_that_overflow_run_again_in_fp32() -> None:
    on_gpu, on_cpu = (
        NetworkSeparator("overflowing", overflowing_bag(), EngineOptions(*how, batch=2))
        for how in (("cuda", "fp16"), ("cpu", "fp32"))
    )
    (network,) = on_gpu._networks
    windows = music(0.5).samples[None].to("cuda")
    assert not network.run(windows, [0, 1, 2, 3]).isfinite().all()
    songs: list[Song] = [(music(0.5), None), (silence(0.4), None)]
    made, expected = (separate_at_once(separator, songs) for separator in (on_gpu, on_cpu))
    for one, other in zip(made, expected, strict=True):
        assert_near(one, other, LEAST_DB["fp32"])
