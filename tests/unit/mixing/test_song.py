"""Loudness of stems over time."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.loudness import integrated_lufs
from mashup_worker.mixing.song import LoudnessEnvelope, power_to_lufs
from tests.unit.mashups import RATE_HZ, seeded, song


def test_the_power_of_an_envelope_is_integrated_loudness() -> None:
    audio = Audio(0.1 * torch.randn(2, 4 * RATE_HZ, generator=seeded(1)), RATE_HZ)
    found = power_to_lufs(LoudnessEnvelope.of(audio).power(0, 4))
    assert found == pytest.approx(integrated_lufs(audio), abs=0.05)


def test_silence_and_times_outside_the_audio_count_as_rests() -> None:
    silence = LoudnessEnvelope.of(Audio(torch.zeros(1, RATE_HZ), RATE_HZ))
    assert not silence.is_playing(0, 1)
    assert power_to_lufs(silence.power(0, 1)) == float("-inf")
    playing = song(drums=range(16))
    assert playing.is_playing("drums", 0, 16)
    assert not playing.is_playing("drums", 16.5, 20)
