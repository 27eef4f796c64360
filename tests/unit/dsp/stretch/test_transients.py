"""Where sounds begin, and time maps that leave that as it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.dsp.stretch.transients import find_attacks, hold_attacks, rising_map


def noise_bursts(
    starts_s: list[float], sample_rate: int, duration_s: float
) -> tuple[Audio, Tensor]:
    """Bursts that die down at once, in stereo, and the samples at which they begin."""
    random = torch.Generator().manual_seed(3)
    starts = (torch.tensor(starts_s, dtype=torch.float64) * sample_rate).round().long()
    samples = torch.zeros(2, round(duration_s * sample_rate))
    for start in starts.tolist():
        length = samples.shape[1] - start
        decay = torch.exp(-torch.arange(length) / (0.02 * sample_rate))
        samples[:, start:] += 0.3 * torch.randn(2, length, generator=random) * decay
    return Audio(samples, sample_rate), starts


def tones(duration_s: float = 2.0, sample_rate: int = 44100) -> Audio:
    """A chord that has begun already, and goes on."""
    at = torch.arange(round(duration_s * sample_rate)) / sample_rate
    chord = sum(torch.sin(2 * torch.pi * hz * at + hz) for hz in (220.0, 277.2, 329.6, 880.0))
    return Audio(0.1 * torch.as_tensor(chord)[None], sample_rate)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 96000])
def test_attacks_are_found_within_two_milliseconds(sample_rate: int) -> None:
    audio, starts = noise_bursts([0.1, 0.25, 0.31, 0.6, 0.9], sample_rate, 1.2)
    attacks = find_attacks(audio)
    assert attacks.shape == starts.shape
    assert (attacks - starts).abs().max() <= 0.002 * sample_rate


def test_sixteenths_at_174_bpm_are_all_found_and_none_twice() -> None:
    audio, starts = noise_bursts([0.05 + k * 60 / 174 / 4 for k in range(20)], 44100, 2.0)
    attacks = find_attacks(audio)
    assert attacks.shape == starts.shape
    assert (attacks - starts).abs().max() <= 0.001 * 44100


def test_a_click_is_found_to_the_sample() -> None:
    clicks = torch.zeros(1, 30_000)
    clicks[0, [5000, 12_345, 25_001]] = 0.7
    assert find_attacks(Audio(clicks, 44100)).tolist() == pytest.approx(
        [5000, 12_345, 25_001], abs=1
    )


def test_how_loud_a_sound_is_does_not_matter() -> None:
    audio, starts = noise_bursts([0.1, 0.4], 44100, 0.8)
    quiet = find_attacks(Audio(1e-4 * audio.samples, 44100))
    assert torch.equal(quiet, find_attacks(audio))
    assert len(quiet) == len(starts)


def test_an_attack_over_a_chord_is_found_and_the_chord_has_none() -> None:
    chord = tones()
    burst, starts = noise_bursts([1.0], 44100, 2.0)
    attacks = find_attacks(Audio(chord.samples + burst.samples, 44100))
    # The ends of the chord are steps, and may count.
    inside = attacks[(attacks > 4410) & (attacks < chord.length_samples - 4410)]
    assert inside.tolist() == pytest.approx(starts.tolist(), abs=88)


@pytest.mark.parametrize("length_samples", [0, 1, 2, 100, 5000])
def test_silence_has_no_attacks(length_samples: int) -> None:
    attacks = find_attacks(Audio(torch.zeros(2, length_samples), 44100))
    assert attacks.shape == (0,)
    assert attacks.dtype == torch.int64


def test_channels_that_cancel_have_attacks_too() -> None:
    audio, starts = noise_bursts([0.2], 44100, 0.5)
    side = torch.stack([audio.samples[0], -audio.samples[0]])
    assert len(find_attacks(Audio(side, 44100))) == len(starts)


def test_attacks_are_held_at_their_own_speed() -> None:
    time_map = TimeMap((0, 20_000, 50_000), (0, 24_000, 48_000))
    attacks = torch.tensor([5000, 30_000])
    held = hold_attacks(time_map, attacks, before_samples=400, after_samples=1000)
    for attack, landing in zip(attacks, time_map.target_at(attacks).round(), strict=True):
        around = torch.arange(-400, 1001)
        assert torch.equal(held.time_map.target_at(attack + around), landing + around)
    assert held.time_map.target_at(torch.tensor([0, 50_000])).tolist() == [0, 48_000]
    # Between them the time is made up for at the anchor already.
    assert held.time_map.target_at(torch.tensor([20_000])).tolist() == [24_000]


@given(
    st.lists(st.integers(0, 20_000), unique=True, max_size=40),
    st.floats(0.25, 4.0),
    st.integers(0, 4000),
    st.integers(0, 4000),
)
def test_held_attacks_land_where_the_plain_map_takes_them(
    attacks: list[int], ratio: float, before: int, after: int
) -> None:
    time_map = TimeMap((0, 9000, 20_001), (0, 9000, 9000 + round(11_001 * ratio)))
    at = torch.tensor(sorted(attacks), dtype=torch.int64)
    held = hold_attacks(time_map, at, before, after_samples=after)
    assert held.time_map.source_samples == time_map.source_samples
    assert held.time_map.target_samples == time_map.target_samples
    assert (held.starts <= held.landings).all()
    assert (held.landings <= held.stops).all()
    assert (held.stops[:-1] <= held.starts[1:]).all()
    inside = (held.stops > held.landings) | (held.starts < held.landings)
    moved = (held.time_map.target_at(at) - time_map.target_at(at)).abs()
    assert (moved[inside] <= 1).all()


def test_points_that_do_not_rise_are_left_out() -> None:
    points = [(10, 10), (5, 20), (30, 30), (31, 30), (100, 60), (60, 200)]
    assert rising_map(points, (100, 100)) == TimeMap((0, 5, 30, 100), (0, 20, 30, 100))
