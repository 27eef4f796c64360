"""Bars as positions in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashup_worker.analysis.result import Analysis
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.grid import FreeGrid, SteadyGrid, grid_of

BEATS_S = (0.5, 1.0, 1.6, 2.1, 2.5, 3.1, 3.6, 4.2, 4.6)


@given(st.floats(-3, 5))
def test_a_bar_and_its_time_are_one_moment(bar: float) -> None:
    for grid in (SteadyGrid(123.0, 4, 0.7), FreeGrid(BEATS_S, 4)):
        assert grid.bar_at(grid.time_at(bar)) == pytest.approx(bar, abs=1e-9)


def test_a_steady_song_is_even_between_its_ends() -> None:
    assert SteadyGrid(120.0, 3).bar_s == pytest.approx(1.5)
    assert SteadyGrid(120.0, 4).anchors(1.5, 9) == (1.5, 9)


def test_a_free_song_is_even_between_its_beats_only() -> None:
    grid = FreeGrid(BEATS_S, 4)
    assert grid.anchors(0, 2) == (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2)
    assert grid.anchors(0.3, 1.01) == (0.3, 0.5, 0.75, 1.01)
    assert grid.tempo_bpm == pytest.approx(60 * 8 / 4.1)


def analysis(*, stable: bool) -> Analysis:
    beats_s = (0.1, *(one + 0.5 for one in BEATS_S))
    return Analysis(6.0, 117.0, 1.0, (), stable, beats_s, beats_s[1::4], 4)


def test_bars_begin_with_the_first_downbeat() -> None:
    steady = grid_of(analysis(stable=True), "song")
    assert isinstance(steady, SteadyGrid)
    assert steady.time_at(0) == pytest.approx(1.0)
    free = grid_of(analysis(stable=False), "song")
    assert isinstance(free, FreeGrid)
    assert free.beats_s == pytest.approx([one + 0.5 for one in BEATS_S])


def test_a_song_without_a_beat_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"lonely\.wav: no beat"):
        grid_of(Analysis(6.0), "lonely.wav")
