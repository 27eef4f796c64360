"""Levels over time, and when envelopes rise and fall."""

from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.dsp.envelope import (
    SILENCE_DB,
    activity,
    at_samples,
    levels_db,
    released,
    smoothed,
    step_samples,
)
from tests.unit.mashups import seeded

RATE_HZ = 44_100
STEPS_PER_S = RATE_HZ / step_samples(RATE_HZ)


def tone_between(start_s: float, stop_s: float, duration_s: float = 3.0) -> torch.Tensor:
    at = torch.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (0.5 * torch.sin(2 * math.pi * 1_000 * at) * ((at >= start_s) & (at < stop_s)))[None]


def test_activity_rises_before_the_sound_and_falls_after_it() -> None:
    there = activity(
        tone_between(1.0, 2.0), RATE_HZ, full_db=-6.0, none_db=-18.0, attack_s=0.1, release_s=0.2
    )

    def during(start_s: float, stop_s: float) -> torch.Tensor:
        return there[round(start_s * STEPS_PER_S) : round(stop_s * STEPS_PER_S)]

    assert float(during(0.0, 0.92).max()) == 0
    assert float(during(0.98, 2.0).min()) == pytest.approx(1)
    # 12 dB in 0.2 s: the first 6 are those that are still all of it.
    assert float(during(2.0, 2.1).min()) > 0.99
    assert float(during(2.25, 2.26).mean()) == pytest.approx(0.5, abs=0.2)
    assert float(during(2.4, 3.0).max()) == 0
    assert float(during(0.0, 1.5).diff().min()) > -1e-6
    silence = torch.zeros(1, RATE_HZ)
    assert not activity(
        silence, RATE_HZ, full_db=-6.0, none_db=-18.0, attack_s=0.1, release_s=0.2
    ).any()


@pytest.mark.parametrize("depth_db", [2.0, 3.0])
def test_ducking_reaches_its_stated_depth(depth_db: float) -> None:
    """As a mix does it: so many dB times how much of the key is there."""
    key = tone_between(0.5, 1.5)
    there = activity(key, RATE_HZ, full_db=-6.0, none_db=-18.0, attack_s=0.01, release_s=0.12)
    gain_db = -depth_db * at_samples(there, step_samples(RATE_HZ), key.shape[1])
    assert gain_db.shape == (key.shape[1],)
    assert float(gain_db[RATE_HZ]) == pytest.approx(-depth_db, abs=1e-4)
    assert float(gain_db.min()) == pytest.approx(-depth_db, abs=1e-4)
    assert float(gain_db[2 * RATE_HZ :].abs().max()) == 0
    # No step that could be heard as a click.
    assert float(gain_db.diff().abs().max()) < 0.05


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


def test_a_curve_is_interpolated_late_in_a_sound_as_early() -> None:
    curve = torch.tensor([0.0, 1.0]).repeat(200_000)
    fine = at_samples(curve, 44, 44 * len(curve))
    assert torch.equal(fine[44:-44].view(-1, 88), fine[44:132].expand(len(curve) // 2 - 1, -1))
    triangle = [0.5 + (min(k, 43 - k) + 0.5) / 44 for k in range(44)]
    assert fine[44:88].tolist() == pytest.approx(triangle)
