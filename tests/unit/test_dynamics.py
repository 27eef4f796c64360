"""Envelopes, compressor, limiter and dither."""

from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.compressor import Compression, compress, reduction_db
from mashup_worker.dsp.dither import dithered
from mashup_worker.dsp.envelope import (
    SILENCE_DB,
    activity,
    at_samples,
    levels_db,
    released,
    smoothed,
    step_samples,
)
from mashup_worker.dsp.limiter import PeakLimiter, limit
from mashup_worker.dsp.true_peak import peaks_near, true_peak_dbtp
from tests.unit.mashups import seeded

RATE_HZ = 44_100


def noise(duration_s: float = 2.0, channels: int = 2, level: float = 0.3) -> torch.Tensor:
    return level * torch.randn(channels, round(duration_s * RATE_HZ), generator=seeded(3))


def test_a_release_is_the_loop_that_it_replaces() -> None:
    levels = 20 * torch.randn(500, generator=seeded(1))
    held, now = [], -math.inf
    for level in levels.tolist():
        now = max(level, now - 0.7)
        held.append(now)
    assert torch.allclose(released(levels, 0.7), torch.tensor(held), atol=1e-3)
    assert released(levels[:0], 0.7).shape == (0,)


def test_levels_are_of_the_power_of_all_channels() -> None:
    levels = levels_db(0.5 * torch.ones(2, RATE_HZ), RATE_HZ)
    assert levels[:-1].tolist() == pytest.approx([20 * math.log10(0.5)] * (len(levels) - 1))
    assert levels_db(torch.zeros(1, 100), RATE_HZ).tolist() == [SILENCE_DB] * 3


def test_smoothing_keeps_what_is_even_and_reaches_no_further_than_it_says() -> None:
    step = torch.zeros(100)
    step[50:] = 1
    soft = smoothed(step, 10)
    assert soft[:44].abs().max() == 0
    assert torch.allclose(soft[56:], torch.ones(44))
    assert smoothed(torch.full((9,), 3.0), 4).tolist() == pytest.approx([3.0] * 9)


def test_a_curve_at_samples_has_their_number() -> None:
    curve = torch.tensor([0.0, 1.0, 0.0])
    fine = at_samples(curve, 44, 130)
    assert fine.shape == (130,)
    assert float(fine[66]) == pytest.approx(1, abs=0.02)
    assert at_samples(curve, 44, 0).shape == (0,)


def test_activity_is_all_while_a_sound_is_there_and_nothing_in_its_rests() -> None:
    sound = noise(3.0)
    sound[:, RATE_HZ : 2 * RATE_HZ] = 0
    there = activity(sound, RATE_HZ, full_db=-18, none_db=-30, attack_s=0.1, release_s=0.2)
    per_s = RATE_HZ / step_samples(RATE_HZ)
    assert float(there[int(0.2 * per_s) : int(0.9 * per_s)].min()) > 0.999
    assert float(there[int(1.6 * per_s) : int(1.9 * per_s)].max()) == 0
    assert float(there[int(2.0 * per_s)]) > 0.9  # it is back when the sound is
    assert not activity(
        torch.zeros(1, RATE_HZ), RATE_HZ, full_db=-6, none_db=-18, attack_s=0.01, release_s=0.1
    ).any()


@pytest.mark.parametrize("wanted_db", [1.0, 3.0])
def test_the_loud_parts_lose_what_was_asked_for(wanted_db: float) -> None:
    sound = noise(6.0)
    sound[:, : 3 * RATE_HZ] *= 0.1
    how = Compression(2.0, wanted_db)
    taken = reduction_db(Audio(sound, RATE_HZ), how)
    half = len(taken) // 2
    assert float(taken[half:].median()) == pytest.approx(wanted_db, abs=0.8)
    assert float(taken[: half - 50].median()) < 0.2
    out = compress(Audio(sound, RATE_HZ), how).samples
    lost = 10 * torch.log10(sound[:, -RATE_HZ:].square().mean() / out[:, -RATE_HZ:].square().mean())
    assert float(lost) == pytest.approx(wanted_db, abs=0.8)


@pytest.mark.parametrize("samples", [torch.zeros(2, 1_000), torch.zeros(2, 0), torch.ones(1, 1)])
def test_what_can_not_be_compressed_comes_back(samples: torch.Tensor) -> None:
    out = compress(Audio(samples, RATE_HZ), Compression()).samples
    assert out.shape == samples.shape
    assert out.isfinite().all()


def naive_peaks(samples: torch.Tensor, factor: int = 4) -> torch.Tensor:
    """Between samples by an ideal interpolation of a sound that begins and ends in silence."""
    spectrum = torch.fft.rfft(samples.double())
    fine = torch.fft.irfft(spectrum, n=factor * samples.shape[1]) * factor
    peaks: torch.Tensor = fine.abs().amax(0)
    return peaks


def test_peaks_between_samples_are_found_where_they_are() -> None:
    at = torch.arange(4_000)
    window = torch.hann_window(4_000)
    sound = (window * torch.sin(2 * math.pi * at / 4 + math.pi / 4))[None]
    found = peaks_near(sound, RATE_HZ, 0.0)
    fine = naive_peaks(sound).view(-1, 4)
    around = torch.maximum(fine.amax(1), fine.roll(1, 0).amax(1))
    inner = slice(100, -100)
    assert torch.allclose(found[inner].double(), around[inner], atol=4e-3)


@pytest.mark.parametrize("ceiling_dbtp", [-1.0, -6.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_no_true_peak_passes_the_ceiling(ceiling_dbtp: float, channels: int) -> None:
    sound = noise(2.0, channels, 0.5)
    sound[0, 30_000] = 4.0  # a click far above everything
    done = limit(Audio(sound, RATE_HZ), ceiling_dbtp)
    peak = true_peak_dbtp(done.audio)
    assert peak is not None
    assert ceiling_dbtp - 0.1 < peak <= ceiling_dbtp
    assert done.most_reduction_db == pytest.approx(20 * math.log10(4) - ceiling_dbtp, abs=1.0)


def test_channels_are_limited_together() -> None:
    sound = noise()
    sound[0] *= 4
    gain = limit(Audio(sound, RATE_HZ), -1.0).audio.samples / sound
    assert torch.allclose(gain[0], gain[1], atol=1e-3)


def test_what_stays_below_the_ceiling_is_amplified_and_nothing_else() -> None:
    quiet = Audio(noise(level=0.01), RATE_HZ)
    done = limit(quiet, -1.0, gain_db=6.0)
    assert done.most_reduction_db == 0
    assert torch.allclose(done.audio.samples, quiet.samples * 10 ** (6 / 20), rtol=1e-5)


def test_the_gain_is_down_before_a_peak_comes() -> None:
    sound = 0.1 * torch.ones(1, RATE_HZ)
    sound[0, 20_000:20_010] = 2.0
    gain = limit(Audio(sound, RATE_HZ), 0.0).audio.samples[0] / sound[0]
    assert float(gain[19_000]) == pytest.approx(1, abs=0.01)
    assert float(gain[20_000]) < 0.51
    assert float(gain[20_000 - 20]) < 0.55
    assert float(gain[30_000]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("length", [0, 1, 30])
def test_a_limiter_takes_short_sounds_and_silence(length: int) -> None:
    out = limit(Audio(2 * torch.ones(1, length), RATE_HZ), -1.0).audio.samples
    assert out.shape == (1, length)
    silent = PeakLimiter(Audio(torch.zeros(2, 1_000), RATE_HZ)).limited(10.0, -1.0).audio
    assert not silent.samples.any()


def test_dither_frees_the_error_from_the_sound() -> None:
    at = torch.arange(1 << 16) / RATE_HZ
    quiet = (2.0**-15 * 0.4 * torch.sin(2 * math.pi * 440 * at))[None]  # less than half a step
    rounded = torch.round(dithered(quiet, 16, seed=1) * 2**15) / 2**15
    assert float((rounded * quiet).sum() / quiet.square().sum()) == pytest.approx(1, abs=0.1)
    assert not torch.round(quiet * 2**15).any()  # without dither nothing of it is left


def test_dither_is_chance_that_repeats_and_leaves_silence_alone() -> None:
    sound = noise(0.1)
    sound[:, :100] = 0
    out = dithered(sound, 16, seed=5)
    assert torch.equal(out, dithered(sound, 16, seed=5))
    assert not torch.equal(out, dithered(sound, 16, seed=6))
    assert not out[:, :100].any()
    assert float((out - sound).abs().max()) < 2.0**-15
