"""Loudness, peaks, clipping, silence and mono compatibility of synthetic mixes."""

from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures.levels import (
    clipped_run,
    integrated_loudness,
    longest_silence,
    loudness_range,
    measure_levels,
    true_peak,
)
from mashup_worker.mixing.measures.stereo import lowest_correlation, mono_loss

RATE_HZ = 22_050


def noise(duration_s: float = 6.0, channels: int = 2, seed: int = 5) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(channels, round(duration_s * RATE_HZ), generator=random)


def test_lossy_files_have_a_wider_loudness_tolerance() -> None:
    levels = measure_levels(Audio(noise(), RATE_HZ))
    found = levels.integrated_lufs
    assert found is not None
    for target, lossy, passed in (
        (found + 0.09, False, True),
        (found - 0.2, False, False),
        (found - 0.2, True, True),
        (found + 0.6, True, False),
    ):
        assert integrated_loudness(levels, target, lossy=lossy).passed is passed
    assert integrated_loudness(levels, None, lossy=False).passed is None
    assert loudness_range(levels).value == pytest.approx(0, abs=1)


def test_silence_fails_a_loudness_target_and_passes_a_peak_limit() -> None:
    levels = measure_levels(Audio(torch.zeros(2, RATE_HZ), RATE_HZ))
    assert integrated_loudness(levels, -14.0, lossy=False).passed is False
    assert true_peak(levels).passed is True


def test_true_peak_is_judged_between_the_samples() -> None:
    """A tone at a quarter of the sample rate has samples at 0.85 and crests at 1.2."""
    tone = 1.2 * torch.sin(math.pi / 2 * torch.arange(RATE_HZ) + math.pi / 4)
    assert float(tone.abs().max()) < 10 ** (-1 / 20)
    levels = measure_levels(Audio(tone[None], RATE_HZ))
    assert true_peak(levels).passed is False
    assert true_peak(levels, 2.0).passed is True
    assert true_peak(measure_levels(Audio(tone[None] / 1.4, RATE_HZ))).passed is True


@pytest.mark.parametrize(("length", "passed"), [(0, True), (1, True), (2, True), (3, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_consecutive_samples_at_full_scale_are_clipped(
    length: int, passed: bool, sign: int
) -> None:
    samples = noise()
    samples[1, 4_000 : 4_000 + length] = sign
    samples[0, 9_000] = samples[0, 9_002] = samples[0, 9_004] = 1.0
    found = clipped_run(Audio(samples, RATE_HZ))
    assert found.value == max(1, length)
    assert found.passed is passed


def test_clipping_at_both_ends_makes_two_runs() -> None:
    samples = noise()
    samples[0, :2] = samples[0, -2:] = 1.0
    assert clipped_run(Audio(samples, RATE_HZ)).value == 2
    assert clipped_run(Audio(torch.zeros(1, 0), RATE_HZ)).value == 0


@pytest.mark.parametrize(("gap_s", "passed"), [(0.0, True), (0.3, True), (0.8, False)])
def test_a_silence_is_found_and_measured(gap_s: float, passed: bool) -> None:
    samples = noise()
    at = round(2.5 * RATE_HZ)
    samples[:, at : at + round(gap_s * RATE_HZ)] *= 1e-4
    found = longest_silence(Audio(samples, RATE_HZ), -20.0)
    assert found.value == pytest.approx(gap_s, abs=0.03)
    assert found.passed is passed
    if gap_s:
        assert "2.5 s" in found.detail


def test_silence_at_the_ends_does_not_count() -> None:
    samples = noise()
    samples[:, : 2 * RATE_HZ] = samples[:, -2 * RATE_HZ :] = 0
    assert longest_silence(Audio(samples, RATE_HZ), -20.0).value == 0


def test_quiet_music_does_not_count_as_silence() -> None:
    samples = 0.02 * noise()
    samples[:, 2 * RATE_HZ : 4 * RATE_HZ] *= 0.3
    level = measure_levels(Audio(samples, RATE_HZ)).integrated_lufs
    assert longest_silence(Audio(samples, RATE_HZ), level).passed is True


@pytest.mark.parametrize("length_samples", [0, 1, 500])
def test_audio_below_100_ms_is_not_judged(length_samples: int) -> None:
    assert longest_silence(Audio(torch.ones(2, length_samples), RATE_HZ), None).passed is None


def stereo(samples: torch.Tensor) -> tuple[bool | None, bool | None]:
    mix = Audio(samples, RATE_HZ)
    return lowest_correlation(mix).passed, mono_loss(measure_levels(mix)).passed


def test_wide_stereo_passes_and_opposite_channels_fail() -> None:
    both, own = noise(seed=1)[:1].expand(2, -1), noise(seed=2)
    assert stereo(both + 0.7 * own) == (True, True)
    assert stereo(both * torch.tensor([[1.0], [-1.0]]) + 0.3 * own) == (False, False)


def test_silence_in_mono_fails() -> None:
    left = noise()[:1]
    mix = Audio(torch.cat([left, -left]), RATE_HZ)
    found = mono_loss(measure_levels(mix))
    assert (found.passed, found.value) == (False, math.inf)
    assert found.as_dict()["value"] is None


def test_three_seconds_of_opposite_channels_are_found() -> None:
    samples = noise(12.0)[:1].repeat(2, 1)
    start = round(6.5 * RATE_HZ)
    samples[1, start : start + 3 * RATE_HZ] *= -1
    found = lowest_correlation(Audio(samples, RATE_HZ))
    assert found.passed is False
    assert found.value == pytest.approx(-1, abs=0.01)
    assert found.detail == "at 6.5 s"
    samples[1, start : start + RATE_HZ] *= -1
    samples[1, start + 2 * RATE_HZ : start + 3 * RATE_HZ] *= -1
    assert lowest_correlation(Audio(samples, RATE_HZ)).passed is True


def test_silence_and_one_channel_have_no_correlation() -> None:
    assert stereo(torch.zeros(2, RATE_HZ)) == (None, None)
    assert stereo(noise(channels=1)) == (None, True)
    samples = noise()
    samples[1] = 0
    assert lowest_correlation(Audio(samples, RATE_HZ)).passed is None
    for length in (0, 1, 100):
        mix = Audio(noise()[:, :length], RATE_HZ)
        assert lowest_correlation(mix).passed in (None, True, False)
