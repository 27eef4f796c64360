"""Conversion between bars and times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashup_worker.analysis.result import Analysis
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
        tempo_candidates=(),
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
