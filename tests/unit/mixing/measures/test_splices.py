"""Steps in level and clicks at splices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.loudness import LoudnessMeter
from mashup_worker.mixing.measures.attacks import find_attacks
from mashup_worker.mixing.measures.splices import (
    SplicedAudio,
    count_clicks,
    find_clicks,
    level_step,
)
from tests.unit.music import even_beats, kick, placed, snare, tone

if TYPE_CHECKING:
    from mashup_worker.mixing.measures.report import Measurement

RATE_HZ = 44_100
SPLICES_S = (2.0, 4.0, 6.0)


def noise(levels: list[float], bar_s: float = 2.0) -> torch.Tensor:
    """Return noise with a level for each bar."""
    random = torch.Generator().manual_seed(6)
    parts = [level * torch.randn(1, round(bar_s * RATE_HZ), generator=random) for level in levels]
    return torch.cat(parts, dim=1)


def step(levels: list[float], *splices_s: float) -> Measurement:
    meter = LoudnessMeter(RATE_HZ, 1)
    meter.add(noise(levels))
    return level_step(meter.short_term_lufs(), splices_s)


def test_splices_of_one_level_pass() -> None:
    found = step([0.1] * 8, 4.0, 8.0)
    assert found.passed is True
    assert found.value == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("after", [0.05, 0.2])
def test_a_step_of_6_lu_fails(after: float) -> None:
    found = step([0.1] * 4 + [after] * 4, 4.0, 8.0, 12.0)
    assert found.passed is False
    assert found.value == pytest.approx(6, abs=0.3)
    assert "at 8.0 s, largest of 3" in found.detail


def test_a_change_away_from_splices_does_not_count() -> None:
    assert step([0.05] * 3 + [0.2] * 5, 12.0).passed is True


@pytest.mark.parametrize("splices_s", [(), (2.0,), (14.0, 15.9)])
def test_splices_near_the_ends_are_not_judged(splices_s: tuple[float, ...]) -> None:
    found = step([0.1] * 8, *splices_s)
    assert (found.passed, found.value) == (None, None)


def pad(duration_s: float = 8.0) -> torch.Tensor:
    """Return a held stereo chord with a little noise."""
    length = round(duration_s * RATE_HZ)
    chord = torch.stack([tone(pitch, 12.0, RATE_HZ)[:length] for pitch in (57, 60, 64)]).sum(dim=0)
    random = torch.Generator().manual_seed(8)
    return torch.stack([chord, 0.8 * chord]) + 0.001 * torch.randn(2, length, generator=random)


def beat(sounds: str, duration_s: float = 8.0) -> torch.Tensor:
    """Return strokes on beats, which coincide with splices."""
    beats = even_beats(120, duration_s, start_s=0.0)
    total = torch.zeros(round(duration_s * RATE_HZ))
    if "kick" in sounds:
        total += placed(kick(RATE_HZ), beats, duration_s, RATE_HZ)
    if "snare" in sounds:
        total += placed(snare(RATE_HZ), beats, duration_s, RATE_HZ)
    if "bass" in sounds:
        total += placed(tone(38, 0.45, RATE_HZ), beats, duration_s, RATE_HZ)
    if "click" in sounds:
        total += placed(torch.tensor([0.5, -0.4, 0.2]), beats, duration_s, RATE_HZ)
    return total.expand(2, -1).clone()


def clicking(samples: torch.Tensor, splices_s: tuple[float, ...] = SPLICES_S) -> Measurement:
    audio = Audio(samples, RATE_HZ)
    sounds = {"a/other": SplicedAudio(audio, splices_s, find_attacks(audio))}
    return count_clicks(sounds, find_clicks(sounds))


@pytest.mark.parametrize("channels", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("form", ["step", "impulse"])
def test_a_discontinuity_of_a_tenth_is_found(form: str, channels: tuple[int, ...]) -> None:
    samples = pad()
    at = round(4.0 * RATE_HZ)
    fading = 0.1 * torch.linspace(1, 0, RATE_HZ)
    for channel in channels:
        samples[channel, at : at + RATE_HZ] += fading if form == "step" else 0
        samples[channel, at] += 0.1 if form == "impulse" else 0
    found = clicking(samples)
    assert (found.value, found.passed) == (1, False)
    assert found.detail == "a/other at 4.00 s"


def test_a_jump_to_another_place_of_the_music_is_found() -> None:
    samples = pad()
    at, other = round(4.0 * RATE_HZ), round(1.2345 * RATE_HZ)
    gap = (samples[0, other : other + 2000] - samples[0, at - 1]).abs()
    other += int(gap.argmax())
    jumped = torch.cat([samples[:, :at], samples[:, other:]], dim=1)
    assert clicking(jumped).passed is False


def test_a_clip_that_ends_without_a_fade_is_found() -> None:
    samples = pad()
    at = round(4.0 * RATE_HZ)
    at += int(samples[0, at : at + 60].abs().argmax())  # away from a zero crossing
    samples[:, at:] = 0
    assert clicking(samples, (at / RATE_HZ,)).passed is False


def test_clean_edges_pass() -> None:
    samples = pad()
    assert clicking(samples).passed is True
    at, fade = round(4.0 * RATE_HZ), round(0.004 * RATE_HZ)
    samples[:, at - fade : at] *= torch.linspace(1, 0, fade)
    samples[:, at:] = 0
    assert clicking(samples).passed is True


@pytest.mark.parametrize("sounds", ["kick", "snare", "kick snare", "bass", "kick bass", "click"])
def test_strokes_on_a_splice_do_not_count(sounds: str) -> None:
    """Even a stroke that is a click does not count where the stem has others."""
    found = clicking(beat(sounds))
    assert (found.value, found.passed) == (0, True)
    assert clicking(beat(sounds) + pad()).passed is True


def test_a_first_stroke_on_a_splice_does_not_count() -> None:
    samples = beat("kick snare")
    samples[:, : round(4.0 * RATE_HZ)] = 0
    assert clicking(samples).passed is True


def test_a_discontinuity_beside_strokes_is_found() -> None:
    samples = beat("kick bass")
    at = round(4.25 * RATE_HZ)
    samples[:, at : at + 5000] += 0.1 * torch.linspace(1, 0, 5000)
    assert clicking(samples, (4.25,)).passed is False


def test_chunks_of_splices_give_the_same_result_as_single_splices() -> None:
    samples = pad()
    samples[:, round(5.5 * RATE_HZ)] += 0.1
    many = tuple(np.arange(3.5, 6.6, 0.05).round(2).tolist())
    together = clicking(samples, many)
    alone = [one for one in many if clicking(samples, (one,)).value]
    assert together.value == len(alone) == 1
    assert together.detail == "a/other at 5.50 s"


def test_no_splices_and_silence_are_not_judged() -> None:
    assert clicking(pad(), ()).passed is None
    assert count_clicks({}, ()).passed is None
    for length in (0, 1, 50):
        assert clicking(torch.zeros(1, length), (0.0,)).value == 0
    assert clicking(torch.zeros(2, RATE_HZ), (0.5,)).passed is True
