"""The limiter: its ceiling, how it gets there, and where its pieces meet."""

from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.audio.signal import Audio, spans
from mashup_worker.dsp.limiter import PeakLimiter, limit
from mashup_worker.dsp.true_peak import peaks_near, true_peak_dbtp
from tests.unit.mashups import seeded

RATE_HZ = 44_100
LENGTH = 300_000
JOIN = next(stop for _, stop in spans(Audio(torch.zeros(1, LENGTH), RATE_HZ)))
"""Where the first piece ends."""


def hidden_peak(at: int) -> Audio:
    """Samples of 0.8 with a true peak above 1 between `at - 1` and `at`, in faint sound."""
    samples = 0.02 * torch.sin(torch.arange(LENGTH) * 0.05)[None]
    samples[0, at - 2 : at + 2] = torch.tensor([-0.8, 0.8, 0.8, -0.8])
    return Audio(samples, RATE_HZ)


@pytest.mark.parametrize("offset", [-17, -1, 0, 1, 17])
def test_a_peak_between_samples_is_seen_where_pieces_meet(offset: int) -> None:
    audio = hidden_peak(JOIN + offset)
    before_dbtp = true_peak_dbtp(audio)
    assert before_dbtp is not None
    assert before_dbtp > 0.5
    # At once, without the rounds in which `limit` mends what was not seen.
    after_dbtp = true_peak_dbtp(PeakLimiter(audio).limited(0.0, -1.0).audio)
    assert after_dbtp is not None
    assert -1.1 < after_dbtp <= -1.0


def test_the_reduction_is_the_same_wherever_pieces_meet() -> None:
    """The same sound, 450 steps later: by then its peak lies across the join."""
    sound = hidden_peak(JOIN - 44 * 450)
    moved = Audio(sound.samples.roll(44 * 450), RATE_HZ)
    first, second = (PeakLimiter(one).reduction_db(0.0, -1.0) for one in (sound, moved))
    assert float(first.max()) > 1.5
    assert torch.allclose(first[4_000:6_000], second[4_450:6_450], atol=1e-4)


@pytest.mark.gpu
def test_cuda_limits_as_the_cpu_does() -> None:
    audio = hidden_peak(JOIN)
    on_cuda = PeakLimiter(Audio(audio.samples.cuda(), RATE_HZ)).limited(6.0, -1.0).audio
    on_cpu = PeakLimiter(audio).limited(6.0, -1.0).audio
    assert torch.allclose(on_cuda.samples.cpu(), on_cpu.samples, atol=1e-4)


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
    sound = 0.5 * torch.randn(channels, 2 * RATE_HZ, generator=seeded(3))
    sound[0, 30_000] = 4.0  # a click far above everything
    done = limit(Audio(sound, RATE_HZ), ceiling_dbtp)
    peak = true_peak_dbtp(done.audio)
    assert peak is not None
    assert ceiling_dbtp - 0.1 < peak <= ceiling_dbtp
    assert done.most_reduction_db == pytest.approx(20 * math.log10(4) - ceiling_dbtp, abs=1.0)


def test_channels_are_limited_together() -> None:
    sound = 0.3 * torch.randn(2, 2 * RATE_HZ, generator=seeded(3))
    sound[0] *= 4
    gain = limit(Audio(sound, RATE_HZ), -1.0).audio.samples / sound
    assert torch.allclose(gain[0], gain[1], atol=1e-3)


def test_a_sound_below_the_ceiling_is_only_amplified() -> None:
    quiet = Audio(0.01 * torch.randn(2, 2 * RATE_HZ, generator=seeded(3)), RATE_HZ)
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
