"""After `warm_up` no song waits for recordings, compilations or algorithm searches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.engines import music, separate
from tests.gpu.networks import LEAST_DB, assert_near, clicks, tiny_separator

if TYPE_CHECKING:
    from mashup_worker.models.engine import NetworkSeparator
    from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.gpu


def test_every_batch_size_is_recorded_once(
    recorded: list[int], device_budget: DeviceBudget
) -> None:
    """In fp16, which runs some windows in fp32."""
    separator = tiny_separator("cuda", "fp16", batch=4)
    separator.warm_up()
    assert recorded == [4, 2, 1]
    assert all(network.is_captured for network in separator._networks)
    songs = [music(1.0), music(0.2, seed=1), clicks(0.6)]
    with device_budget.limit(search=0), ThreadPoolExecutor(len(songs)) as pool:
        list(pool.map(lambda song: separate(separator, song), songs))
    assert recorded == [4, 2, 1]


def test_every_network_of_a_bag_is_recorded_and_weighed(recorded: list[int]) -> None:
    separator = tiny_separator("cuda", members=2, batch=2, shifts=1)
    separator.warm_up()
    mix = music(0.5)
    expected = separate(tiny_separator("cpu", members=2, shifts=1), mix)
    assert_near(separate(separator, mix), expected, LEAST_DB["fp32"])
    assert recorded == [2, 1, 2, 1]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_compiled_core_is_recorded_and_used(
    precision: str, recorded: list[int], on_cpu: NetworkSeparator
) -> None:
    """In one batch size, because compiling takes so long."""
    separator = tiny_separator("cuda", precision, batch=2, compile=True)
    separator.warm_up()
    mix = music(1.0)
    assert_near(separate(separator, mix), separate(on_cpu, mix), LEAST_DB[precision])
    assert recorded == [2]
    assert all(network.is_compiled and network.is_captured for network in separator._networks)
