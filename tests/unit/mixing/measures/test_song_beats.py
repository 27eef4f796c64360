"""Beats of a song in a mashup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mashup_worker.mixing.measures.attacks import Attacks
from mashup_worker.mixing.measures.song_beats import SongBeatGrid
from mashup_worker.mixing.measures.timing import stem_timing
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from mashup_worker.mixing.plan import Plan


def crossed(factor: float, *, from_bar: float = 0.0, at_bar: float = 1.0) -> Plan:
    """Return a plan at 120 BPM with a clip of six bars, of `factor` as many of its song."""
    plan = mashup_plan({"a/vocals": [(1, 7)], "b/drums": [(0, 8)]})
    clip = plan.clips[0].model_copy(
        update={"at_bar": at_bar, "from_bar": from_bar, "source_bars": 6 * factor}
    )
    return plan.model_copy(update={"clips": (clip, plan.clips[1])})


def lags_ms(plan: Plan, times_s: np.ndarray) -> np.ndarray:
    grid = SongBeatGrid.of_song(plan, "a")
    timing = stem_timing("a/vocals", "vocals", Attacks(times_s, np.ones(len(times_s))), grid=grid)
    return 1e3 * timing.lags_s


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.5, 2 / 3, 3 / 2, 3 / 4, 4 / 3])
@pytest.mark.parametrize("late_s", [0.0, 0.012])
def test_the_beats_of_a_song_are_on_the_grid_in_every_factor(factor: float, late_s: float) -> None:
    beats_s = 2.0 + 0.5 / factor * np.arange(int(24 * factor)) + late_s
    assert lags_ms(crossed(factor), beats_s) == pytest.approx(1e3 * late_s, abs=1e-6)
    sixteenths_s = 2.0 + 0.125 / factor * np.arange(int(24 * factor)) + late_s
    if factor != 0.5:  # whose own sixteenths are eighths of the mashup
        assert lags_ms(crossed(factor), sixteenths_s) == pytest.approx(1e3 * late_s, abs=1e-6)


def test_a_clip_that_begins_between_beats_lags() -> None:
    off_bars = 0.02
    beats_s = 2.0 + 0.75 * np.arange(16) - off_bars * 3.0
    assert lags_ms(crossed(2 / 3, from_bar=off_bars), beats_s) == pytest.approx(-60)


def test_beats_of_a_mashup_that_changes_tempo_have_their_own_length() -> None:
    grid = {"tempo_bpm": 120.0, "beats_per_bar": 4, "bars": 8, "tempo_changes": [[4, 100.0]]}
    plan = mashup_plan({"a/drums": [(0, 4)], "b/drums": [(4, 8)]}, grid=grid)
    beats = SongBeatGrid.of_song(plan, "b")
    times_s = np.array([8.0, 8.6, 9.2, 9.3])
    assert np.allclose(beats.beat_s_at(times_s), 0.6)
    assert np.allclose(beats.positions(times_s), [16, 17, 18, 18 + 0.1 / 0.6])
