"""Conversion between bars and times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashup_worker.analysis.result import Analysis, TempoStretch
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.grid import FixedTempoGrid, VariableTempoGrid, song_grid

BEATS_S = (0.5, 1.0, 1.6, 2.1, 2.5, 3.1, 3.6, 4.2, 4.6)


@given(st.floats(-3, 5))
def test_a_bar_converts_to_a_time_and_back(bar: float) -> None:
    for grid in (FixedTempoGrid(123.0, 4, 0.7), VariableTempoGrid(BEATS_S, 4)):
        assert grid.bar_at(grid.time_at(bar)) == pytest.approx(bar, abs=1e-9)


def test_a_fixed_tempo_is_linear_between_its_ends() -> None:
    assert FixedTempoGrid(120.0, 3).bar_s == pytest.approx(1.5)
    assert FixedTempoGrid(120.0, 4).anchors(1.5, 9) == (1.5, 9)


def test_a_variable_tempo_is_linear_between_beats_only() -> None:
    grid = VariableTempoGrid(BEATS_S, 4)
    assert grid.anchors(0, 2) == (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2)
    assert grid.anchors(0.3, 1.01) == (0.3, 0.5, 0.75, 1.01)
    assert grid.tempo_bpm == pytest.approx(60 * 8 / 4.1)


def analysis(*, stable: bool) -> Analysis:
    beats_s = (0.1, *(one + 0.5 for one in BEATS_S))
    return Analysis(
        duration_s=6.0,
        tempo_bpm=117.0,
        tempo_confidence=1.0,
        tempo_stable=stable,
        beats_s=beats_s,
        downbeats_s=beats_s[1::4],
        beats_per_bar=4,
    )


def test_bars_begin_at_the_first_downbeat() -> None:
    fixed = song_grid(analysis(stable=True), "song")
    assert isinstance(fixed, FixedTempoGrid)
    assert fixed.time_at(0) == pytest.approx(1.0)
    variable = song_grid(analysis(stable=False), "song")
    assert isinstance(variable, VariableTempoGrid)
    assert variable.beats_s == pytest.approx([one + 0.5 for one in BEATS_S])


def test_a_song_without_beats_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"lonely\.wav: no beat"):
        song_grid(Analysis(6.0), "lonely.wav")


def test_a_song_in_stretches_has_the_bars_of_the_longest() -> None:
    stretches = (TempoStretch(0.5, 10.5, 120.0, 4), TempoStretch(11.8, 41.8, 120.0, 4))
    beats_s = tuple(np.concatenate([np.arange(0.5, 10.6, 0.5), np.arange(11.8, 41.9, 0.5)]))
    got = song_grid(
        Analysis(
            duration_s=44,
            tempo_bpm=120.0,
            tempo_confidence=1.0,
            tempo_stable=False,
            beats_s=beats_s,
            downbeats_s=(0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.8, 14.8),
            beats_per_bar=4,
            tempo_stretches=stretches,
        ),
        "song",
    )
    assert got == FixedTempoGrid(120.0, 4, 12.8, 42.3)


@pytest.mark.parametrize(("found", "bars"), [(2, 4), (3, 3), (4, 4)])
def test_bars_of_a_compound_meter_count_in_pairs(found: int, bars: int) -> None:
    assert (
        song_grid(replace(analysis(stable=True), beats_per_bar=found), "song").beats_per_bar == bars
    )


def test_bars_of_five_are_refused_if_they_are_sure() -> None:
    five = replace(analysis(stable=True), beats_per_bar=5)
    assert song_grid(five, "song").beats_per_bar == 4
    with pytest.raises(InvalidInput, match="5 beats a bar"):
        song_grid(replace(five, bar_confidence=0.9), "song")
