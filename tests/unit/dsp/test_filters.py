"""Filters whose response may move with time."""

from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.dsp.filters import bell, filtered, high_pass, low_pass, low_shelf
from tests.unit.mashups import seeded

RATE_HZ = 44_100


def tone(hz: float, duration_s: float = 1.0) -> torch.Tensor:
    at = torch.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return torch.sin(2 * math.pi * hz * at)[None]


def gain_db(before: torch.Tensor, after: torch.Tensor) -> float:
    middle = slice(before.shape[1] // 4, 3 * before.shape[1] // 4)
    ratio = after[:, middle].square().mean() / before[:, middle].square().mean()
    return 10 * float(torch.log10(ratio))


@pytest.mark.parametrize(
    ("hz", "wanted_db"), [(4_000.0, 0.0), (1_000.0, -3.0), (500.0, -24.1), (250.0, -48.2)]
)
def test_a_high_pass_falls_by_24_db_an_octave(hz: float, wanted_db: float) -> None:
    out = filtered(tone(hz), RATE_HZ, [lambda _at, f: high_pass(f, 1_000.0)[None]])
    assert gain_db(tone(hz), out) == pytest.approx(wanted_db, abs=0.8)


@pytest.mark.parametrize(("hz", "wanted_db"), [(250.0, 0.0), (1_000.0, -3.0), (2_000.0, -24.1)])
def test_a_low_pass_falls_by_24_db_an_octave(hz: float, wanted_db: float) -> None:
    out = filtered(tone(hz), RATE_HZ, [lambda _at, f: low_pass(f, 1_000.0)[None]])
    assert gain_db(tone(hz), out) == pytest.approx(wanted_db, abs=0.8)


def test_a_shelf_moves_the_bass_alone() -> None:
    def shelf(_at: torch.Tensor, hz: torch.Tensor) -> torch.Tensor:
        return low_shelf(hz, 180.0, -36.0)[None]

    assert gain_db(tone(60.0), filtered(tone(60.0), RATE_HZ, [shelf])) < -30
    assert gain_db(tone(1_000.0), filtered(tone(1_000.0), RATE_HZ, [shelf])) > -0.1


def test_a_bell_changes_only_its_band() -> None:
    def pocket(_at: torch.Tensor, hz: torch.Tensor) -> torch.Tensor:
        return bell(hz, 2_000.0, 5_000.0, -6.0)[None]

    for hz, wanted_db in ((3_000.0, -6.0), (1_414.0, -3.0), (500.0, 0.0), (12_000.0, 0.0)):
        found = gain_db(tone(hz), filtered(tone(hz), RATE_HZ, [pocket]))
        assert found == pytest.approx(wanted_db, abs=0.3)


def test_unity_gain_changes_nothing() -> None:
    noise = torch.randn(2, 50_000, generator=seeded(1))
    out = filtered(noise, RATE_HZ, [lambda _at, hz: torch.ones_like(hz)[None]])
    assert torch.allclose(out, noise, atol=1e-5)
    assert filtered(noise, RATE_HZ, []) is noise


def test_a_response_moves_at_the_time_it_names() -> None:
    def mute_from_half_a_second(at: torch.Tensor, hz: torch.Tensor) -> torch.Tensor:
        return (at < RATE_HZ // 2).double()[:, None].expand(-1, len(hz))

    out = filtered(tone(1_000.0), RATE_HZ, [mute_from_half_a_second])
    assert float(out[:, : int(0.47 * RATE_HZ)].abs().max()) > 0.99
    assert float(out[:, int(0.53 * RATE_HZ) :].abs().max()) == 0


@pytest.mark.parametrize("length", [0, 1, 7, 1_000])
def test_short_sounds_keep_their_length(length: int) -> None:
    out = filtered(torch.ones(1, length), RATE_HZ, [lambda _at, hz: high_pass(hz, 100.0)[None]])
    assert out.shape == (1, length)
    assert out.isfinite().all()


def test_pieces_of_a_long_sound_join_without_a_seam() -> None:
    # More frames than are computed at once.
    out = filtered(tone(440.0, 20.0), RATE_HZ, [lambda _at, hz: low_pass(hz, 5_000.0)[None]])
    inner = slice(2_000, -2_000)
    assert torch.allclose(out[:, inner], tone(440.0, 20.0)[:, inner], atol=5e-3)
