"""Validation of plans."""

from __future__ import annotations

from typing import Any

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.grid import FixedTempoGrid, VariableTempoGrid
from mashup_worker.mixing.plan import Plan, required_ratio
from mashup_worker.mixing.plan_document import parse_plan


def document(**changes: Any) -> dict[str, Any]:
    voice = {"path": "a/vocals.flac", "kind": "vocals", "song": "a", "tempo_bpm": 120.0}
    drums = {"path": "b/drums.flac", "kind": "drums", "song": "b", "tempo_bpm": 125.0}
    common = {"beats_per_bar": 4, "first_downbeat_s": 0.25}
    return {
        "form": "layer",
        "vibe": "club",
        "intensity": 0.5,
        "transition": "cut",
        "grid": {"tempo_bpm": 125.0, "beats_per_bar": 4, "bars": 16},
        "sources": {"voice": voice | common, "drums": drums | common},
        "clips": [
            {"source": "voice", "at_bar": 4, "bars": 8, "from_bar": 0, "source_bars": 8},
            {"source": "drums", "at_bar": 0, "bars": 16, "from_bar": 0, "source_bars": 16},
        ],
    } | changes


def edited(*steps: str | int, value: object) -> dict[str, Any]:
    whole = document()
    part: Any = whole
    for step in steps[:-1]:
        part = part[step]
    part[steps[-1]] = value
    return whole


def ratio(plan: Plan, index: int) -> float:
    clip = plan.clips[index]
    return required_ratio(clip, plan.sources[clip.source], plan.grid)


def test_splices_are_times_of_the_mashup() -> None:
    plan = parse_plan(document())
    bar_s = 4 * 60 / 125
    assert plan.splices_s == pytest.approx((4 * bar_s, 12 * bar_s))
    assert plan.grid.duration_s == pytest.approx(16 * bar_s)


def test_the_stretch_ratio_follows_from_the_bars() -> None:
    plan = parse_plan(document())
    assert ratio(plan, 0) == pytest.approx(120 / 125)
    assert ratio(plan, 1) == pytest.approx(1)


def test_half_time_takes_twice_the_bars() -> None:
    whole = edited("sources", "voice", "tempo_bpm", value=240.0)
    whole["clips"][0]["source_bars"] = 16
    plan = parse_plan(whole)
    assert plan.clips[0].tempo_factor == 2
    assert ratio(plan, 0) == pytest.approx(120 / 125)


@pytest.mark.parametrize(
    ("steps", "value", "named"),
    [
        (("vibe",), "polka", "vibe.*polka.*club"),
        (("key",), "H minor", "key .H minor.: unknown.*A minor"),
        (("intensity",), 2, "intensity"),
        (("grid", "tempo_bpm"), "fast", r"grid\.tempo_bpm"),
        (("grid", "bars"), 0, r"grid\.bars"),
        (("grid", "tempo_bpm"), float("nan"), r"grid\.tempo_bpm"),
        (("clips",), [], "clips"),
        (("clips", 0, "source"), "guitar", r"clips\.0\.source.*guitar.*voice, drums"),
        (("clips", 1, "bars"), 17, r"clips\.1\..*ratio|clips\.1\.bars.*bar 17.*16"),
        (("clips", 0, "at_bar"), -1, r"clips\.0\.at_bar"),
        (("clips", 0, "stretch_ratio"), 1.2, r"clips\.0\.stretch_ratio.*0\.96"),
        (("clips", 0, "source_bars"), 12, r"clips\.0\.source_bars.*\+56\.2 %.*20%"),
        (("clips", 0, "fade_in_bars"), 9, r"clips\.0.*fade_in_bars"),
        (("clips", 0, "semitones"), 40, r"clips\.0\.semitones"),
        (("clips", 0, "engine"), "tape", r"clips\.0\.engine.*'tape'.*rubberband"),
        (("clips", 0, "wobble"), 1, r"clips\.0\.wobble"),
        (("sources", "voice", "beats_per_bar"), 3, r"clips\.0\.source.*3 beats a bar.*4"),
        (("sources", "voice", "beats_s"), [1.0, 0.5], r"sources\.voice.*beats_s"),
        (("master",), {"loudness_lufs": 3}, r"master\.loudness_lufs"),
        (("version",), 2, "version"),
    ],
)
def test_an_invalid_value_is_named(steps: tuple[str | int, ...], value: object, named: str) -> None:
    with pytest.raises(InvalidInput, match=named) as caught:
        parse_plan(edited(*steps, value=value), "mine.json")
    assert caught.value.message.startswith("mine.json: ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("automation", "named"),
    [
        ({"parameter": "low_pass_hz", "points": [[4, 300], [2, 900]]}, "points.*ascend"),
        ({"parameter": "low_pass_hz", "points": [[4, 1]]}, "low_pass_hz 1: .*10 to 24000"),
        ({"parameter": "loudness", "points": [[4, 1]]}, "parameter"),
        ({"parameter": "gain_db", "points": []}, "points"),
    ],
)
def test_invalid_automation_is_named(automation: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=rf"clips\.1\.automation\.0.*{named}"):
        parse_plan(edited("clips", 1, "automation", value=[automation]))


def test_a_forced_plan_may_exceed_the_stretch_limit() -> None:
    plan = parse_plan(edited("clips", 0, "source_bars", value=12) | {"forced": True})
    assert ratio(plan, 0) == pytest.approx(0.64)


def test_a_source_with_beats_has_a_variable_tempo() -> None:
    beats_s = [1.0, 1.5, 2.1, 2.6, 3.0, 3.6, 4.0, 4.5, 5.1]
    plan = parse_plan(edited("sources", "voice", "beats_s", value=beats_s))
    grid = plan.sources["voice"].grid
    assert isinstance(grid, VariableTempoGrid)
    assert [grid.time_at(bar) for bar in (0, 0.25, 1, 2)] == pytest.approx([1.0, 1.5, 3.0, 5.1])
    assert isinstance(plan.sources["drums"].grid, FixedTempoGrid)
