from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import firwin, resample_poly
from torch import Tensor

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.true_peak import TruePeakMeter, true_peak_dbtp


def tone(sample_rate: int, amplitude: float, part_of_rate: float, phase_degrees: float) -> Audio:
    """A stereo sine of one second whose ends are faded, as a step has peaks of its own."""
    times = torch.arange(sample_rate, dtype=torch.float64)
    sine = torch.sin(2 * math.pi * part_of_rate * times + math.radians(phase_degrees))
    fade = (torch.minimum(times, sample_rate - 1 - times) / (0.02 * sample_rate)).clamp(max=1)
    return Audio((amplitude * fade * sine).float().expand(2, -1), sample_rate)


def noise(length_samples: int, channels: int = 2, highest: float = 0.9) -> Tensor:
    """Noise below a share of half the rate, louder towards its end."""
    random = np.random.default_rng(11)
    white = random.standard_normal((channels, length_samples + 400))
    taps = firwin(401, highest)
    low = np.stack([np.convolve(row, taps, mode="valid") for row in white])
    return torch.from_numpy(low * np.linspace(0.05, 0.3, length_samples)).float()


def long_filter_dbtp(samples: Tensor, factor: int) -> float:
    """Oversampled with a filter eight times as long, with silence around."""
    padded = np.pad(samples.double().numpy(), ((0, 0), (200, 200)))
    if factor == 1:
        return float(20 * np.log10(np.abs(padded).max()))
    taps = firwin(2 * 128 * factor + 1, 1 / factor, window=("kaiser", 8.0))
    peak = np.abs(resample_poly(padded, factor, 1, axis=1, window=taps)).max()
    return float(20 * np.log10(peak))


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize(
    ("amplitude", "part_of_rate", "phase_degrees", "true_peak"),
    [
        (0.5, 1 / 4, 0.0, -6.0),
        (0.5, 1 / 4, 45.0, -6.0),
        (0.5, 1 / 6, 60.0, -6.0),
        (0.5, 1 / 8, 67.5, -6.0),
        (1.41, 1 / 4, 45.0, 3.0),
    ],
)
def test_ebu_tech_3341(
    sample_rate: int, amplitude: float, part_of_rate: float, phase_degrees: float, true_peak: float
) -> None:
    measured = true_peak_dbtp(tone(sample_rate, amplitude, part_of_rate, phase_degrees))
    assert measured is not None
    assert -0.4 <= measured - true_peak <= 0.2


@pytest.mark.parametrize(
    ("sample_rate", "factor"),
    [(8000, 4), (22050, 4), (44100, 4), (48000, 4), (96000, 2), (192000, 1)],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_agrees_with_a_long_filter(sample_rate: int, factor: int, channels: int) -> None:
    samples = noise(70_001, channels)
    measured = true_peak_dbtp(Audio(samples, sample_rate))
    assert measured == pytest.approx(long_filter_dbtp(samples, factor), abs=0.05)


@pytest.mark.parametrize("part_of_rate", [0.05, 0.3, 0.41, 0.45])
def test_all_that_is_heard_is_read_alike(part_of_rate: float) -> None:
    """Up to 20 kHz at 44.1 kHz; four points a sample miss up to 0.6 dB of the highest tones."""
    measured = true_peak_dbtp(tone(44100, 1.0, part_of_rate + 1e-5, 0.0))
    missed = 20 * math.log10(math.cos(math.pi * part_of_rate / 4))
    assert measured is not None
    assert missed - 0.05 < measured < 0.15


@pytest.mark.parametrize("length_samples", [1, 2, 15, 16, 17, 31, 33, 48, 63])
def test_short_sounds(length_samples: int) -> None:
    samples = noise(length_samples)
    measured = true_peak_dbtp(Audio(samples, 44100))
    assert measured == pytest.approx(long_filter_dbtp(samples, 4), abs=0.1)


@pytest.mark.parametrize("position", [0, 7, 65_530, 65_536, 99_999])
def test_a_single_peak_is_found_at_any_position(position: int) -> None:
    """Between two samples, at the ends, and where pieces and blocks meet."""
    samples = 0.1 * noise(100_000, 1)
    samples[0, position : position + 2] = 0.5
    expected = long_filter_dbtp(samples, 4)
    assert true_peak_dbtp(Audio(samples, 44100)) == pytest.approx(expected, abs=0.05)


def test_peaks_that_samples_do_not_show_are_found_among_louder_samples() -> None:
    """Samples of 0.8 make 1.13 between them, and have 0.9 before them."""
    samples = torch.zeros(1, 20_000)
    samples[0, 1000:2000] = 0.9 * torch.sin(torch.arange(1000) * 0.02)
    samples[0, 9000:11_000] = 0.8 * torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(500)
    expected = long_filter_dbtp(samples, 4)
    assert expected > 1
    assert true_peak_dbtp(Audio(samples, 48000)) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("size", [1, 5, 16, 31, 32, 47, 1000])
def test_however_the_sound_is_cut(size: int) -> None:
    samples = noise(3001)
    meter = TruePeakMeter(44100)
    for start in range(0, 3001, size):
        meter.add(samples[:, start : start + size])
        meter.add(samples[:, :0])
    assert meter.true_peak_dbtp() == pytest.approx(true_peak_dbtp(Audio(samples, 44100)), abs=1e-5)


def test_reading_changes_nothing() -> None:
    samples = noise(4000)
    meter = TruePeakMeter(44100)
    for piece in (samples[:, :1990], samples[:, 1990:]):
        meter.add(piece)
        meter.true_peak_dbtp()
    assert meter.true_peak_dbtp() == pytest.approx(true_peak_dbtp(Audio(samples, 44100)), abs=1e-5)


@pytest.mark.parametrize("sample_rate", [44100, 96000, 192000])
def test_silence_has_none(sample_rate: int) -> None:
    assert true_peak_dbtp(Audio(torch.zeros(2, 5000), sample_rate)) is None
    assert true_peak_dbtp(Audio(torch.zeros(1, 0), sample_rate)) is None
    assert TruePeakMeter(sample_rate).true_peak_dbtp() is None


@pytest.mark.gpu
def test_cuda_measures_as_the_cpu_does() -> None:
    samples = noise(100_000)
    on_cuda = true_peak_dbtp(Audio(samples.cuda(), 44100))
    assert on_cuda == pytest.approx(true_peak_dbtp(Audio(samples, 44100)), abs=1e-4)
