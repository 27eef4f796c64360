"""A voice in the key of what accompanies it, and in others."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures.tonality import key_match
from tests.unit.music import RATE_HZ, cadence, tone

MELODY = (0, 4, 7, 5, 9, 7, 5, 2, 7, 4, 2, -1, 0, 2, 4, 0)
"""A tune over tonic, subdominant, dominant and tonic, four notes each, in semitones above it."""


def voice(semitones: float = 0.0) -> Audio:
    notes = [tone(72 + step + semitones, 0.5) for step in MELODY * 2]
    return Audio(torch.cat(notes)[None], RATE_HZ)


def accompaniment() -> Audio:
    return Audio(cadence(0, "major", bar_s=2.0)[None], RATE_HZ)


def test_a_voice_in_key_passes() -> None:
    found = key_match(voice(), accompaniment())
    assert (found.value, found.passed) == (0, True)


@pytest.mark.parametrize("semitones", [3, -3, 1, -2, 6])
def test_a_voice_in_another_key_fails(semitones: int) -> None:
    found = key_match(voice(semitones), accompaniment())
    assert found.passed is False
    assert found.value == {6: -6}.get(semitones, -semitones)


def test_an_octave_is_no_other_key() -> None:
    assert key_match(voice(-12), accompaniment()).passed is True


def test_what_has_no_pitch_is_not_judged() -> None:
    random = torch.Generator().manual_seed(4)
    speech = Audio(0.1 * torch.randn(1, 16 * RATE_HZ, generator=random), RATE_HZ)
    assert key_match(speech, accompaniment()).passed is None
    silent = Audio(torch.zeros(1, 16 * RATE_HZ), RATE_HZ)
    assert key_match(silent, accompaniment()).passed is None
    assert key_match(voice(), silent).passed is None


def test_what_is_not_there_is_not_judged() -> None:
    assert "no voices" in key_match(None, accompaniment()).detail
    assert "no accompaniment" in key_match(voice(), None).detail
    for length in (0, 1, RATE_HZ):
        brief = Audio(voice().samples[:, :length], RATE_HZ)
        assert key_match(brief, accompaniment()).passed is None
