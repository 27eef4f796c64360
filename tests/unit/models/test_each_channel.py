"""Mono networks separate both channels of stereo sound, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.models.bag import Bag
from mashup_worker.models.each_channel import stereo
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.pipelines.separation.separate import separate_audio
from tests.engines import music
from tests.roformer import converted, reference

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.roformer.network import RoformerNetwork


def mono_network() -> RoformerNetwork:
    original = reference("bs_roformer", stereo=False)
    return converted("bs_roformer", original, stereo=False)


@pytest.mark.parametrize("rows", [None, [1]])
def test_each_channel_is_a_window_of_the_mono_network(rows: list[int] | None) -> None:
    network = mono_network()
    windows = torch.stack([music(0.5, seed).samples for seed in range(3)])
    windows = windows[..., : network.profile.segment_samples]
    both = stereo(network)
    assert both.profile.channels == 2
    with torch.no_grad():
        made = both(windows, rows)
        alone = torch.stack([network(windows[:, [n]], rows)[:, :, 0] for n in (0, 1)], dim=2)
    torch.testing.assert_close(made, alone)


def test_a_stereo_network_stays_as_it_is() -> None:
    network = converted("bs_roformer", reference("bs_roformer"))
    assert stereo(network) is network


def test_the_prepared_core_is_run() -> None:
    network, calls = mono_network(), []

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        calls.append(len(inputs[0]))
        made: tuple[Tensor, ...] = network.core(*inputs)
        return made

    both = stereo(network)
    both.run_core_by(run)
    with torch.no_grad():
        both(torch.zeros(3, 2, network.profile.segment_samples))
    assert calls == [6]


def test_songs_keep_their_channels() -> None:
    separator = NetworkSeparator("mono", Bag.of(mono_network()), EngineOptions("cpu", "fp32"))
    song = music(0.7)
    stems = separate_audio(separator, song)
    for channel in (0, 1):
        one = separate_audio(separator, Audio(song.samples[[channel]], song.sample_rate))
        for kind, stem in stems.items():
            torch.testing.assert_close(stem.samples[[channel]], one[kind].samples)
