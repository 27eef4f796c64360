"""Dither, and what writers leave of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.decode import decode
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.dsp.dither import dithered
from tests.unit.mashups import seeded

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.vocabulary import FormatName

STEP = 2.0**-15


@pytest.mark.parametrize("offset", [0.125, 0.25, 0.5, 0.75])
def test_the_error_has_zero_mean_and_constant_power(offset: float) -> None:
    """Triangular noise of two steps and rounding: a sixth and a twelfth of a step squared."""
    sound = torch.full((1, 1 << 18), (100 + offset) * STEP)
    error = torch.round(dithered(sound, 16, seed=3) / STEP) - sound / STEP
    assert float(error.mean()) == pytest.approx(0, abs=0.005)
    assert float(error.square().mean()) == pytest.approx(1 / 4, abs=0.005)


@pytest.mark.parametrize("format_", ["wav", "flac"])
def test_writers_round_it_and_change_nothing_else(tmp_path: Path, format_: FormatName) -> None:
    sound = dithered(0.2 * torch.randn(2, 30_000, generator=seeded(1)), 16, seed=2)
    path = tmp_path / f"sound.{format_}"
    with open_writer(path, EncodeOptions(format_), sample_rate=44_100, channels=2) as writer:
        writer.write(sound)
    rounded = torch.round(sound / STEP).clamp(-(2**15), 2**15 - 1) * STEP
    assert torch.equal(decode(path).samples, rounded)


def test_noise_goes_on_where_pieces_meet() -> None:
    sound = torch.full((1, (1 << 20) + 5_000), 0.3)
    noise = (dithered(sound, 16, seed=1) - sound)[0] / STEP
    before, after = noise[(1 << 20) - 5_000 : 1 << 20], noise[1 << 20 :]
    assert float(before.std()) == pytest.approx(float(after.std()), rel=0.05)
    assert not torch.equal(noise[:5_000], after)


def test_dither_frees_the_error_from_the_sound() -> None:
    at = torch.arange(1 << 16) / 44_100
    quiet = (2.0**-15 * 0.4 * torch.sin(2 * math.pi * 440 * at))[None]  # less than half a step
    rounded = torch.round(dithered(quiet, 16, seed=1) * 2**15) / 2**15
    assert float((rounded * quiet).sum() / quiet.square().sum()) == pytest.approx(1, abs=0.1)
    assert not torch.round(quiet * 2**15).any()  # without dither nothing of it is left


def test_dither_is_chance_that_repeats_and_leaves_silence_alone() -> None:
    sound = 0.3 * torch.randn(2, 4_410, generator=seeded(3))
    sound[:, :100] = 0
    out = dithered(sound, 16, seed=5)
    assert torch.equal(out, dithered(sound, 16, seed=5))
    assert not torch.equal(out, dithered(sound, 16, seed=6))
    assert not out[:, :100].any()
    assert float((out - sound).abs().max()) < 2.0**-15
