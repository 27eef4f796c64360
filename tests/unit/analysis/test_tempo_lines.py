"""Straight lines through onsets, and the Fourier sums that find their period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.analysis import tempo_lines
from mashup_worker.analysis.tempo_lines import (
    TempoLine,
    best_phase,
    coherent_period,
    fit_line,
    nearest_onsets,
    with_exact_period,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FRAMES = 12_000
"""Two minutes at the onsets' frame rate."""


def bumps(at: Array, frames: int = FRAMES, height: float | Array = 1.0) -> Array:
    """Onset strength with a peak at each instant, anywhere between two frames."""
    out = np.zeros(frames)
    for position, high in zip(at, np.broadcast_to(height, at.shape), strict=True):
        near = np.arange(max(0, int(position) - 6), min(frames, int(position) + 7))
        out[near] += high * np.exp(-0.5 * np.square((near - position) / 1.5))
    return out


def humanized(period: float, spread: float, frames: int = FRAMES, start: float = 20.0) -> Array:
    at = np.arange(start, frames - 10, period)
    return np.asarray(at + np.random.default_rng(1).normal(0, spread, len(at)))


def groups_of(*rows: Array) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows)).float()


@pytest.mark.parametrize("frames", [1, 2, 10, 97, 1000])
def test_magnitudes_are_those_of_a_plain_sum(frames: int) -> None:
    signals = torch.randn(3, frames, generator=torch.Generator().manual_seed(1))
    cycles = torch.linspace(0.007, 0.4, 23, dtype=torch.float64)
    turns = torch.exp(-2j * torch.pi * cycles[:, None] * torch.arange(frames))
    expected = (signals.to(torch.complex128) @ turns.T).abs().float()
    got = tempo_lines._magnitudes(signals, cycles)
    torch.testing.assert_close(got, expected, atol=2e-4, rtol=1e-4)


def test_magnitudes_of_an_hour_stay_exact() -> None:
    frames = 360_000
    cycles = torch.tensor([1 / 47.123, 1 / 47.124, 4 / 47.123], dtype=torch.float64)
    time = torch.arange(frames, dtype=torch.float64)
    signals = torch.cos(2 * torch.pi * cycles[:1] * time)[None].float()
    turns = torch.exp(-2j * torch.pi * cycles[:, None] * time)
    expected = (signals.to(torch.complex128) @ turns.T).abs()
    got = tempo_lines._magnitudes(signals, cycles).double()
    torch.testing.assert_close(got, expected, atol=2e-5 * frames, rtol=1e-4)


@pytest.mark.parametrize("period", [31.4, 48.87, 60.1361, 99.0])
def test_coherent_period_finds_a_thousandth(period: float) -> None:
    groups = groups_of(bumps(humanized(period, 0.5)))
    for off in (0.999, 1.001, 0.985, 1.015):
        found, coherence = coherent_period(groups, off * period)
        assert found == pytest.approx(period, rel=1e-4)
        assert coherence > 0.8


def test_coherence_is_lower_for_a_drifting_phase() -> None:
    steps = 50 + 4 * np.sin(np.arange(230) / 12)
    wandering = groups_of(bumps(np.cumsum(steps)[:-1]))
    _, low = coherent_period(wandering, 50.0)
    _, high = coherent_period(groups_of(bumps(humanized(50.0, 1.0))), 50.0)
    assert low < 0.5 < 0.8 < high


def test_coherence_keeps_over_a_break() -> None:
    strength = bumps(humanized(50.0, 0.5))
    strength[4000:7000] = 0
    found, coherence = coherent_period(groups_of(strength), 50.3)
    assert found == pytest.approx(50.0, rel=1e-4)
    assert coherence > 0.8


@pytest.mark.parametrize("frames", [4, 30, 120])
def test_short_and_silent_sound_has_a_period_near_the_given_one(frames: int) -> None:
    for row in (np.zeros(frames), bumps(np.array([1.0]), frames)):
        found, coherence = coherent_period(groups_of(row), 50.0)
        assert found == pytest.approx(50.0, rel=0.03)
        assert 0 <= coherence <= 1 + 1e-6


def test_best_phase_meets_the_onsets() -> None:
    at = np.arange(33.3, FRAMES - 10, 60.5)
    found = best_phase(bumps(at), 60.5)
    assert np.abs((found[0] - 33.3 + 30) % 60.5 - 30) <= 0.5
    assert len(found) >= len(at) - 1


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.5])
def test_a_line_through_humanized_clicks_has_their_period(spread: float) -> None:
    period = 49.7312
    at = humanized(period, spread)
    line = fit_line(bumps(at), np.round(at), period * 1.0005)
    # The standard error of the slope, times four.
    error = 4 * max(spread, 0.05) * np.sqrt(12 / len(at) ** 3)
    assert line.period == pytest.approx(period, abs=error)
    assert line.start % period == pytest.approx(20.0, abs=0.5)
    assert line.residual <= spread + 0.1


def test_stray_onsets_do_not_bend_a_line() -> None:
    rng = np.random.default_rng(3)
    at = humanized(50.0, 0.3)
    stray = bumps(rng.uniform(0, FRAMES, 60), height=0.7)
    late = bumps(at[60:75] + 4.5)
    line = fit_line(bumps(at) + stray + late, at, 50.0)
    assert line.period == pytest.approx(50.0, abs=0.005)


def test_a_line_that_does_not_fit_has_a_large_residual() -> None:
    tempo = np.concatenate([np.full(120, 50.0), np.full(100, 52.0)])
    at = np.cumsum(tempo)
    line = fit_line(bumps(at), at, 51.0)
    assert line.residual > 2


def test_instants_cover_a_song() -> None:
    for start in (-130.0, -0.5, 0.0, 20.0, 700.0):
        instants = TempoLine(start, 50.0, 0).instants(500)
        assert instants[0] < 50
        assert instants[0] >= 0
        assert 449 < instants[-1] <= 499
        assert np.allclose((instants - start) % 50 % 50, 0)


def test_a_change_of_instruments_does_not_bend_the_exact_period() -> None:
    period = 50.0
    at = humanized(period, 0.2)
    half = len(at) // 2
    low = bumps(at[:half])
    # The sounds of the second half are detected two frames later.
    high = bumps(at[half:] + 2.0)
    bent = fit_line(low + high, at, period)
    straight = with_exact_period(bent, np.stack([low, high]))
    assert abs(bent.period - period) > 0.003
    assert straight.period == pytest.approx(period, abs=0.002)
    # The middle stays.
    count = len(bent.instants(FRAMES)) // 2
    there = straight.instants(FRAMES)
    assert np.abs(there - bent.instants(FRAMES)[count]).min() < 1.0


def test_nearest_onsets_lie_between_frames_and_within_reach() -> None:
    at = np.array([50.0, 103.3, 160.7, 220.0])
    strength = bumps(at, 300, np.array([1.0, 2.0, 0.5, 1.0]))
    found, height = nearest_onsets(strength, at + np.array([3.0, -2.5, 2.0, 30.0]), 5.0)
    assert found[:3] == pytest.approx(at[:3], abs=0.1)
    assert height[:3] == pytest.approx([1.0, 2.0, 0.5], rel=0.1)
    assert height[3] == 0


def test_nearest_onsets_at_the_ends_and_beyond() -> None:
    strength = bumps(np.array([2.0, 97.0]), 100)
    found, height = nearest_onsets(strength, np.array([-20.0, 0.0, 99.0, 130.0]), 4.0)
    assert found[1:3] == pytest.approx([2.0, 97.0], abs=0.1)
    assert height.tolist()[::3] == [0, 0]
