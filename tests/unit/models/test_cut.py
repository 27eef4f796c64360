"""Songs are cut and joined as `demix` of Music-Source-Separation-Training does, and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.models.bag import Bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator
from mashup_worker.models.network import NetworkProfile, SeparationNetwork
from mashup_worker.models.segments import Cut
from tests.demix import demix
from tests.engines import RATE_HZ, separate
from tests.networks import profile

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 1000

LENGTHS = [1, 2, 70, 499, 500, 501, 999, 1000, 1001, 1300, 1501, 2000, 2001, 2499, 5000, 12_345]
"""Around half a chunk, one, and two overlaps, where `demix` treats songs in other ways."""


class Uneven(SeparationNetwork):
    """Filters windows along their time by weights of each position, so that no place is alike.

    Silence gives silence.
    """

    def __init__(self, made: NetworkProfile) -> None:
        super().__init__(made, None)
        generator = torch.Generator().manual_seed(0)
        samples, stems = made.segment_samples, len(made.stems)
        self.place = nn.Parameter(torch.randn(stems, 1, samples, generator=generator), False)
        self.seen: list[int] = []

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        assert windows.shape[-1] == self.profile.segment_samples
        self.seen.append(len(windows))
        made = windows[:, None] * self.place + windows.roll(7, -1).tanh()[:, None]
        return made if rows is None else made[:, list(rows)]


def network(overlap: int = 4, **options: object) -> Uneven:
    stems = ("drums", "vocals")
    cut = Cut.msst(CHUNK, overlap)
    return Uneven(profile(*stems, segment_samples=CHUNK, cut=cut, **options))


def separator(one: SeparationNetwork, **options: object) -> NetworkSeparator:
    given = EngineOptions("cpu", "fp32", **options)  # type: ignore[arg-type]
    return NetworkSeparator("uneven", Bag.of(one), given)


def noise(length: int) -> Audio:
    generator = torch.Generator().manual_seed(length)
    return Audio(0.1 + 0.3 * torch.randn(2, length, generator=generator), RATE_HZ)


@pytest.mark.parametrize("overlap", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("length", LENGTHS)
def test_equals_demix(length: int, overlap: int) -> None:
    one, mix = network(overlap), noise(length)
    made = separate(separator(one, batch=3), mix)
    expected = demix(one, mix.samples, CHUNK, overlap)
    assert made.isfinite().all()
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)


def test_equals_demix_of_a_normalized_song() -> None:
    one, mix = network(normalization="song"), noise(12_345)
    expected = demix(one, mix.samples, CHUNK, 4, normalize=True)
    torch.testing.assert_close(separate(separator(one), mix), expected, rtol=1e-5, atol=1e-5)


def test_each_channel_equals_demix_in_mono() -> None:
    one, mix = network(channels=1), noise(4321)
    expected = torch.cat([demix(one, channel[None], CHUNK, 4) for channel in mix.samples], dim=1)
    torch.testing.assert_close(separate(separator(one), mix), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalization", ["none", "song"])
@pytest.mark.parametrize("length", [1, CHUNK // 2, 5 * CHUNK])
def test_silence_gives_silence(length: int, normalization: str) -> None:
    mix = Audio(torch.zeros(2, length), RATE_HZ)
    made = separate(separator(network(normalization=normalization)), mix)
    assert made.shape == (2, 2, length)
    assert not made.any()


def test_an_empty_song_gives_nothing() -> None:
    assert list(separator(network()).stream(noise(0))) == []


def test_the_result_does_not_depend_on_the_batch_or_on_the_stems_asked_for() -> None:
    mix = noise(7 * CHUNK + 77)
    expected = separate(separator(network()), mix)
    for batch in (2, 5, 64):
        made = separate(separator(network(), batch=batch), mix, ["vocals"])
        torch.testing.assert_close(made[0], expected[1], rtol=1e-6, atol=1e-6)


def test_no_segment_wholly_after_the_song_is_run() -> None:
    one = network()
    separate(separator(one), noise(5 * CHUNK))
    # From three quarters of a chunk before the song to its end, a quarter at a time.
    assert sum(one.seen) == 3 + 4 * 5


@pytest.mark.parametrize("shifts", [1, 3])
@pytest.mark.parametrize("length", [1, CHUNK, 5 * CHUNK + 5])
def test_shifts_move_the_segments_and_keep_the_length(length: int, shifts: int) -> None:
    made = separate(separator(network(), shifts=shifts), noise(length))
    assert made.shape == (2, 2, length)
    assert made.isfinite().all()


def test_another_overlap_can_be_asked_for() -> None:
    mix = noise(5 * CHUNK)
    asked = separate(separator(network(4), overlap=0.5), mix)
    assert torch.equal(asked, separate(separator(network(2)), mix))


def test_memory_stays_one_segment() -> None:
    class Recorder(Audio):
        longest_read = 0

        def read(self, start: int, stop: int) -> Tensor:
            Recorder.longest_read = max(Recorder.longest_read, stop - start)
            return super().read(start, stop)

    mix = noise(200 * CHUNK)
    pieces = [one.shape[-1] for one in separator(network()).stream(Recorder(mix.samples, RATE_HZ))]
    assert sum(pieces) == mix.length_samples
    assert max(pieces) <= CHUNK
    assert Recorder.longest_read <= CHUNK


def test_the_complement_is_the_mix_minus_the_stems_of_the_network() -> None:
    mix = noise(3 * CHUNK + 3)
    one = separator(network(complement="other"))
    assert one.stems == ("drums", "vocals", "other")
    assert one.residual_stem == "other"
    drums, vocals, other = separate(one, mix)
    assert torch.equal(other, mix.samples - (drums + vocals))
    assert torch.equal(separate(one, mix, ["other", "drums"]), torch.stack([other, drums]))
    assert torch.equal(separate(one, mix, ["vocals"])[0], vocals)
    with pytest.raises(InvalidInput, match="bass"):
        separate(one, mix, ["bass"])


@pytest.mark.parametrize(
    ("members", "weights"),
    [
        pytest.param([{}, {"sample_rate": 48_000}], [(1, 1), (1, 1)], id="sample rates"),
        pytest.param([{}, {"complement": "other"}], [(1, 1), (1, 1)], id="stems"),
        pytest.param([{}], [(1, 0)], id="a stem without weight"),
        pytest.param([{}], [(1,)], id="too few weights"),
        pytest.param([{}], [(1, 1), (1, 1)], id="too many networks"),
    ],
)
def test_networks_that_do_not_fit_together_make_no_bag(
    members: list[dict[str, object]], weights: list[tuple[float, ...]]
) -> None:
    with pytest.raises(ValueError, match=r"fit together|weight"):
        Bag(tuple(network(**options) for options in members), tuple(weights))  # type: ignore[arg-type]
