"""Vocals in the key of their accompaniment, and in other keys."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures.tonality import key_fit
from tests.unit.music import RATE_HZ, cadence, tone

MELODY = (0, 4, 7, 5, 9, 7, 5, 2, 7, 4, 2, -1, 0, 2, 4, 0)
"""Four notes each over tonic, subdominant, dominant and tonic, in semitones above the tonic."""


def vocals(semitones: float = 0.0) -> Audio:
    notes = [tone(72 + step + semitones, 0.5) for step in MELODY * 2]
    return Audio(torch.cat(notes)[None], RATE_HZ)


def accompaniment() -> Audio:
    return Audio(cadence(0, "major", bar_s=2.0)[None], RATE_HZ)


def test_vocals_in_key_pass() -> None:
    found = key_fit(vocals(), accompaniment()).measurement
    assert (found.value, found.passed) == (0, True)


@pytest.mark.parametrize("semitones", [3, -3, 1, -2, 6])
def test_vocals_in_another_key_fail(semitones: int) -> None:
    found = key_fit(vocals(semitones), accompaniment()).measurement
    assert found.passed is False
    assert found.value == {6: -6}.get(semitones, -semitones)


def test_an_octave_passes() -> None:
    assert key_fit(vocals(-12), accompaniment()).measurement.passed is True


def test_noise_and_silence_are_not_judged() -> None:
    random = torch.Generator().manual_seed(4)
    speech = Audio(0.1 * torch.randn(1, 16 * RATE_HZ, generator=random), RATE_HZ)
    assert key_fit(speech, accompaniment()).measurement.passed is None
    silent = Audio(torch.zeros(1, 16 * RATE_HZ), RATE_HZ)
    assert key_fit(silent, accompaniment()).measurement.passed is None
    assert key_fit(vocals(), silent).measurement.passed is None


def test_missing_stems_and_short_vocals_are_not_judged() -> None:
    assert "no vocals" in key_fit(None, accompaniment()).measurement.detail
    assert "no accompaniment" in key_fit(vocals(), None).measurement.detail
    for length in (0, 1, RATE_HZ):
        brief = Audio(vocals().samples[:, :length], RATE_HZ)
        assert key_fit(brief, accompaniment()).measurement.passed is None
