"""Bars of a mashup whose tempo changes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan_document import format_plan, parse_plan
from mashup_worker.mixing.plan_grid import PlanGrid
from tests.unit.mashups import mashup_plan

CHANGING = PlanGrid(
    tempo_bpm=120.0, beats_per_bar=4, bars=12, tempo_changes=((4.0, 80.0), (8.0, 240.0))
)


@pytest.mark.parametrize(
    ("bar", "time_s"), [(-1, -2), (0, 0), (3.5, 7), (4, 8), (6, 14), (8, 20), (12, 24), (13, 25)]
)
def test_times_and_bars_are_converted_across_changes(bar: float, time_s: float) -> None:
    assert CHANGING.time_at(bar) == pytest.approx(time_s)
    assert CHANGING.bar_at(time_s) == pytest.approx(bar)
    assert CHANGING.sample_at(bar, 8_000) == round(time_s * 8_000)


def test_a_grid_is_divided_at_its_changes() -> None:
    assert [(one.at_bar, one.end_bar, one.tempo_bpm) for one in CHANGING.spans] == [
        (0, 4, 120),
        (4, 8, 80),
        (8, 12, 240),
    ]
    assert CHANGING.duration_s == 24
    assert CHANGING.span_at(4).tempo_bpm == 80
    assert CHANGING.span_at(3.999).tempo_bpm == 120


@pytest.mark.parametrize("bars", [(0.0,), (12.0,), (8.0, 4.0), (4.0, 4.0)])
def test_changes_outside_the_mashup_or_out_of_order_are_refused(bars: tuple[float, ...]) -> None:
    changes = tuple((bar, 100.0) for bar in bars)
    with pytest.raises(ValidationError, match="tempo_changes"):
        PlanGrid(tempo_bpm=120.0, beats_per_bar=4, bars=12, tempo_changes=changes)


def test_a_clip_across_a_change_is_refused() -> None:
    grid = {"tempo_bpm": 120.0, "beats_per_bar": 4, "bars": 8, "tempo_changes": [[4, 125.0]]}
    plan = mashup_plan({"a/drums": [(0, 4), (4, 8)]}, grid=grid)
    assert parse_plan(plan.as_dict()) == plan
    assert "tempo_changes" in format_plan(plan)
    with pytest.raises(InvalidInput, match=r"clips.0.bars: the clip crosses .* at bar 4; split it"):
        mashup_plan({"a/drums": [(0, 8)]}, grid=grid)
