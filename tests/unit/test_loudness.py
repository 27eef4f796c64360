from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.loudness import LoudnessMeter, integrated_lufs


def sines(rate_hz: int, *steps: tuple[float, float]) -> Audio:
    """A 1 kHz stereo sine in steps of dBFS and seconds."""
    levels = [torch.full((round(seconds * rate_hz),), 10 ** (db / 20)) for db, seconds in steps]
    envelope = torch.cat(levels)
    sine = envelope * torch.sin(2 * torch.pi * 1000 / rate_hz * torch.arange(len(envelope)))
    return Audio(sine.expand(2, -1), rate_hz)


def bursts(rate_hz: int, channels: int, duration_s: float = 6.0) -> Audio:
    """Reddish noise that swells and pauses, as music does."""
    random = np.random.default_rng(3)
    noise = random.standard_normal((channels, round(duration_s * rate_hz)))
    smooth = np.cumsum(noise, axis=1)
    smooth -= np.linspace(smooth[:, 0], smooth[:, -1], smooth.shape[1], axis=1)
    sound = 0.02 * noise + 0.2 * smooth / np.abs(smooth).max()
    swell = np.abs(np.sin(np.linspace(0, 9, sound.shape[1]))) ** 3
    return Audio(torch.from_numpy(sound * swell).float(), rate_hz)


@pytest.mark.parametrize("rate_hz", [44100, 48000])
@pytest.mark.parametrize(
    ("steps", "loudness_lufs"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_ebu_tech_3341(
    rate_hz: int, steps: list[tuple[float, float]], loudness_lufs: float
) -> None:
    assert integrated_lufs(sines(rate_hz, *steps)) == pytest.approx(loudness_lufs, abs=0.1)


@pytest.mark.parametrize("rate_hz", [3400, 4000, 8000, 11025, 16000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2])
def test_agrees_with_pyloudnorm(rate_hz: int, channels: int) -> None:
    audio = bursts(rate_hz, channels)
    samples = audio.samples.T.double().numpy()
    same_filter = pyloudnorm.Meter(rate_hz, filter_class="DeMan").integrated_loudness(samples)
    assert integrated_lufs(audio) == pytest.approx(same_filter, abs=0.02)
    if rate_hz >= 44100:
        default = pyloudnorm.Meter(rate_hz).integrated_loudness(samples)
        assert integrated_lufs(audio) == pytest.approx(default, abs=0.1)


@pytest.mark.parametrize("rate_hz", [1000, 1500, 2000, 3000, 3363])
def test_no_loudness_where_the_filter_does_not_exist(rate_hz: int) -> None:
    assert integrated_lufs(bursts(rate_hz, 2)) is None


@pytest.mark.parametrize("rate_hz", [3364, 4000, 8000])
def test_low_rates_stay_finite_over_minutes(rate_hz: int) -> None:
    loudness_lufs = integrated_lufs(bursts(rate_hz, 1, 120.0))
    assert loudness_lufs is not None
    assert -60 < loudness_lufs < 0


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 9000), min_size=1, max_size=6).filter(any))
def test_however_the_sound_is_cut(sizes: list[int]) -> None:
    audio = bursts(11025, 2, 3.0)
    meter = LoudnessMeter(audio.rate_hz, audio.channels)
    start, turn = 0, 0
    while start < audio.length_samples:
        size = sizes[turn % len(sizes)]
        meter.add(audio.read(start, start + size))
        start, turn = start + size, turn + 1
    assert meter.integrated_lufs() == pytest.approx(integrated_lufs(audio), abs=1e-9)


def test_a_constant_offset_is_not_heard() -> None:
    audio = bursts(44100, 2)
    shifted = Audio(audio.samples + 0.25, audio.rate_hz)
    assert integrated_lufs(shifted) == pytest.approx(integrated_lufs(audio), abs=0.1)


def test_twice_the_amplitude_is_6_db_more() -> None:
    audio = bursts(44100, 1)
    quiet, loud = integrated_lufs(audio), integrated_lufs(Audio(2 * audio.samples, 44100))
    assert quiet is not None
    assert loud == pytest.approx(quiet + 20 * np.log10(2), abs=0.01)


@pytest.mark.parametrize("channels", [1, 2])
def test_silence_and_less_than_a_block_have_no_loudness(channels: int) -> None:
    assert integrated_lufs(Audio(torch.zeros(channels, 44100), 44100)) is None
    assert integrated_lufs(Audio(torch.ones(channels, 17639), 44100)) is None
    assert integrated_lufs(Audio(torch.rand(channels, 17640), 44100)) is not None
    assert LoudnessMeter(44100, channels).integrated_lufs() is None
