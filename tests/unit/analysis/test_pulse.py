"""The pulse, and beats tracked by dynamic programming."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mir_eval
import numpy as np
import pytest
import torch

from mashup_worker.analysis import pulse
from mashup_worker.analysis.onsets import FRAME_RATE_HZ, RATE_HZ, find_onsets
from mashup_worker.analysis.pulse import Pulse, find_pulse, track
from mashup_worker.analysis.tempogram import tempogram
from tests.unit.music import beats_along, drums, even_beats, placed, snare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def plain_track(strength: Array, periods: Array) -> tuple[list[int], Array]:
    """Ellis's recursion one frame and one lag at a time: its beats and the scores."""
    nearest = max(1, int(periods.min() / 2))
    farthest = int(np.ceil(periods.max() * 2))
    score, before = np.zeros(len(strength)), np.zeros(len(strength), dtype=int)
    for frame in range(len(strength)):
        best, came = -np.inf, 0
        for lag in range(nearest, farthest + 1):
            price = pulse._TIGHTNESS * np.log(lag / periods[frame]) ** 2
            earlier = score[frame - lag] if frame >= lag else 0.0
            if earlier - price > best:
                best, came = earlier - price, frame - lag
        score[frame], before[frame] = strength[frame] + best, came
    tail = max(0, len(strength) - int(np.ceil(periods[-1])))
    frame = tail + int(score[tail:].argmax())
    beats = []
    while frame >= 0:
        beats.append(frame)
        frame = int(before[frame])
    return beats[::-1], score


@pytest.mark.parametrize("frames", [1, 2, 9, 40, 333])
@pytest.mark.parametrize("period", [3.0, 7.3, 20.0])
def test_track_is_the_plain_recursion(frames: int, period: float) -> None:
    rng = np.random.default_rng(frames)
    strength = np.abs(rng.normal(0, 1, frames))
    varying = period * (1 + 0.3 * np.sin(np.arange(frames) / 15))
    for periods in (np.full(frames, period), varying):
        expected, _ = plain_track(strength, periods)
        assert track(strength, periods).tolist() == expected
    assert track(strength, period).tolist() == plain_track(strength, np.full(frames, period))[0]


def test_track_of_silence_is_even() -> None:
    beats = track(np.zeros(500), 25.0)
    assert (np.diff(beats) == 25).all()


def test_track_follows_periods_that_change() -> None:
    periods = np.linspace(40, 60, 3000)
    at, true = 20.0, []
    while at < 2990:
        true.append(at)
        at += periods[int(at)]
    strength = np.zeros(3000)
    strength[np.round(true).astype(int)] = 5
    assert np.abs(track(strength, periods)[1:-1] - np.round(true)[1:-1]).max() <= 1


def pulse_of(samples: torch.Tensor) -> Pulse | None:
    onsets = find_onsets(samples)
    return find_pulse(onsets, tempogram(onsets.groups, FRAME_RATE_HZ))


def found(samples: torch.Tensor) -> Pulse:
    got = pulse_of(samples)
    assert got is not None
    return got


def times_s(one: Pulse) -> Array:
    return np.asarray(one.instants / FRAME_RATE_HZ)


def at_some_level(tempo_bpm: float, true_bpm: float) -> float:
    """How far a tempo lies from the nearest simple multiple of the true one, as a share."""
    return min(abs(tempo_bpm / true_bpm / level - 1) for level in (0.5, 1, 2, 4))


@pytest.mark.parametrize("tempo_bpm", [66.0, 87.3, 104.0, 120.0, 128.21, 150.0, 174.0])
def test_drums_have_an_exact_pulse(tempo_bpm: float) -> None:
    beats_s = even_beats(tempo_bpm, 40)
    got = found(drums(beats_s, 4, 40))
    assert got.steady
    assert got.coherence > 0.8
    pulse_bpm = 60 / float(np.median(np.diff(times_s(got))))
    assert at_some_level(pulse_bpm, tempo_bpm) < 0.02 / tempo_bpm
    # Whatever level it has, each beat has an instant of it, or each instant a beat.
    coarse, fine = sorted((beats_s, times_s(got)), key=len)
    inside = coarse[(coarse > 1) & (coarse < 39)]
    assert np.abs(inside[:, None] - fine).min(axis=1).max() < 0.03


def test_the_pulse_keeps_its_phase_over_a_break() -> None:
    beats_s = even_beats(112, 60)
    sounding = beats_s[(beats_s < 22) | (beats_s > 36)]
    got = found(placed(snare(), sounding, 60, RATE_HZ))
    assert got.steady
    assert 60 / float(np.median(np.diff(times_s(got)))) == pytest.approx(112, abs=0.02)
    for beat_s in beats_s:
        assert np.abs(times_s(got) - beat_s).min() < 0.03


def test_humanized_clicks_have_the_exact_tempo() -> None:
    beats_s = even_beats(96.4, 90)
    moved = beats_s + np.random.default_rng(0).normal(0, 0.010, len(beats_s))
    got = found(placed(snare(), np.maximum(moved, 0), 90, RATE_HZ))
    assert got.steady
    # 10 ms on 144 beats leave a standard error of 0.003 BPM.
    assert 60 / float(np.median(np.diff(times_s(got)))) == pytest.approx(96.4, abs=0.015)


CHANGING = {
    "step": [100.0] * 45 + [108.0] * 50,
    "leap": [100.0] * 45 + [120.0] * 55,
    "accelerando": np.linspace(95, 125, 100).tolist(),
    "ritardando": np.linspace(140, 110, 110).tolist(),
    "swaying": (110 + 6 * np.sin(np.arange(110) / 9)).tolist(),
}


@pytest.mark.parametrize("kind", CHANGING)
def test_a_tempo_that_changes_is_not_steady_and_followed(kind: str) -> None:
    beats_s = beats_along(CHANGING[kind])
    got = found(drums(beats_s, 4, float(beats_s[-1]) + 0.6))
    assert not got.steady
    assert (np.diff(got.instants) > 0).all()
    # The pulse may be of twice or half the tempo.
    middles = (beats_s[1:] + beats_s[:-1]) / 2
    levels = (beats_s, np.sort(np.concatenate([beats_s, middles])), beats_s[::2], beats_s[1::2])
    scores = [mir_eval.beat.f_measure(level, times_s(got), 0.05) for level in levels]
    assert max(scores) >= 0.9


def test_silence_has_no_pulse_and_noise_a_faint_one() -> None:
    assert pulse_of(torch.zeros(RATE_HZ * 10)) is None
    noise = torch.randn(RATE_HZ * 30, generator=torch.Generator().manual_seed(6))
    faint, clear = pulse_of(0.1 * noise), found(drums(even_beats(120, 30), 4, 30))
    assert faint is None or faint.strength < 0.5 * clear.strength


@pytest.mark.parametrize("length", [1, 10, 700, 5000, 22_050, 33_075])
def test_short_sound_never_fails(length: int) -> None:
    noise = torch.randn(length, generator=torch.Generator().manual_seed(8))
    for samples in (noise, placed(snare(), [0.0], length / RATE_HZ, RATE_HZ)):
        got = pulse_of(samples)
        if got is not None:
            assert np.isfinite(got.instants).all()
            assert len(got.instants) >= 2
