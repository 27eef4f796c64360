"""Removal of DC offsets: headroom is regained, and nothing audible changes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.offset import without_offset

RATE_HZ = 44_100


def tone(hz: float, duration_s: float, level: float = 0.5, sample_rate: int = RATE_HZ) -> Tensor:
    at = torch.arange(round(duration_s * sample_rate), dtype=torch.float64) / sample_rate
    return (level * torch.sin(2 * math.pi * hz * at)).float()[None]


def cleaned(samples: Tensor, sample_rate: int = RATE_HZ) -> Tensor:
    return without_offset(Audio(samples, sample_rate)).samples


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("duration_s", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("offset", [0.2, -0.2, 0.006])
def test_a_constant_offset_is_removed(offset: float, duration_s: float, sample_rate: int) -> None:
    music = tone(220, duration_s, sample_rate=sample_rate)
    assert torch.allclose(cleaned(music + offset, sample_rate), music, rtol=0, atol=1e-5)


@pytest.mark.parametrize("hz", [20.0, 25.0, 40.0])
def test_bass_is_unchanged(hz: float) -> None:
    bass = tone(hz, 4.0)
    done = cleaned(bass + 0.2)
    gain = float((done * bass).sum() / bass.square().sum())
    assert abs(20 * math.log10(gain)) < 0.01
    middle = slice(RATE_HZ, -RATE_HZ)
    assert torch.allclose(done[:, middle], bass[:, middle], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(tone(25, 2.0), id="bass"),
        pytest.param(tone(220, 2.0) + 0.004, id="faint offset"),
        pytest.param(torch.zeros(2, RATE_HZ), id="silence"),
        pytest.param(torch.full((1, 1_000), 0.2), id="too short to judge"),
        pytest.param(torch.zeros(2, 0), id="empty"),
    ],
)
def test_audio_without_an_offset_is_the_same_object(samples: Tensor) -> None:
    audio = Audio(samples, RATE_HZ)
    assert without_offset(audio) is audio


def test_only_the_channel_with_an_offset_changes() -> None:
    music = tone(220, 2.0)
    done = cleaned(torch.cat([music, music + 0.2]))
    assert torch.equal(done[0], music[0])
    assert torch.allclose(done[1], music[0], rtol=0, atol=1e-5)


def test_silence_around_the_sound_stays_silent() -> None:
    music, silence = tone(220, 3.0), torch.zeros(1, RATE_HZ // 4)
    done = cleaned(torch.cat([silence, music + 0.2, silence, music + 0.2, silence], dim=1))
    calm = RATE_HZ * 6 // 100  # the correction begins up to 60 ms before the sound
    for at in (0.0, 3.25, 6.5):
        start = round(at * RATE_HZ)
        inside = done[:, start + calm * (at > 0) : start + len(silence[0]) - calm * (at < 6.5)]
        assert not inside.any()
    sounding = slice(RATE_HZ // 2, 3 * RATE_HZ)
    assert torch.allclose(done[:, sounding].mean(), torch.zeros(()), atol=0.002)


def test_fades_end_near_zero() -> None:
    fade = torch.ones(6 * RATE_HZ)
    fade[: 2 * RATE_HZ] = torch.linspace(0, 1, 2 * RATE_HZ)
    fade *= fade.flip(0)
    done = cleaned((tone(220, 6.0) + 0.2) * fade)
    assert max(abs(float(done[0, 0])), abs(float(done[0, -1]))) < 0.005
    # Nothing that could be heard as a click: steps as small as those of the music.
    music = tone(220, 6.0) * fade
    assert float((done - music).diff().abs().max()) < 1e-4


def test_an_offset_that_drifts_or_jumps_is_followed() -> None:
    music = tone(220, 8.0)
    drift = torch.linspace(-0.2, 0.3, music.shape[1])
    assert float((cleaned(music + drift) - music)[:, RATE_HZ:-RATE_HZ].abs().max()) < 0.001
    jump = torch.where(torch.arange(music.shape[1]) < 4 * RATE_HZ, 0.2, -0.1)
    rest = (cleaned(music + jump) - music).abs()
    assert float(rest[:, : 3 * RATE_HZ].max()) < 1e-5
    assert float(rest[:, 5 * RATE_HZ :].max()) < 1e-5
    assert float(rest.max()) <= 0.151  # the jump itself stays, half of it on each side


def test_a_constant_becomes_silence() -> None:
    assert float(cleaned(torch.full((2, RATE_HZ), -0.7)).abs().max()) < 1e-6
