"""Correction of plans from the faults that were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from mashup_worker.mixing.keys import transposed
from mashup_worker.mixing.measures.attacks import Attacks
from mashup_worker.mixing.measures.findings import Findings, HeardBeats
from mashup_worker.mixing.measures.song_beats import SongBeatGrid
from mashup_worker.mixing.measures.timing import stem_timing
from mashup_worker.mixing.planning.correction import corrected_plan
from mashup_worker.mixing.render.automation import automation_curve
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.mixing.measures.timing import StemTiming
    from mashup_worker.mixing.plan import Plan

BEAT_S = 0.5


def plan_of(semitones: tuple[float, float] = (0.0, 0.0), **changes: Any) -> Plan:
    """Return 32 bars at 120 BPM of a voice over a band."""
    spans = {"a/vocals": [(4.0, 28.0)], "b/drums": [(0.0, 32.0)], "b/other": [(0.0, 32.0)]}
    plan = mashup_plan(spans, bars=32, **changes)
    shifts = {"a/vocals": semitones[0], "b/drums": 0.0, "b/other": semitones[1]}
    clips = tuple(clip.model_copy(update={"semitones": shifts[clip.source]}) for clip in plan.clips)
    return plan.model_copy(update={"clips": clips})


def drums(plan: Plan, offset_s: float = 0.0, slope: float = 0.0) -> StemTiming:
    """Return the timing of strokes on eighths that are late by an offset and by a drift."""
    times_s = BEAT_S / 2 * np.arange(4, 250)
    attacks = Attacks(times_s + offset_s + slope * times_s, np.ones(len(times_s)))
    return stem_timing("b/drums", "drums", attacks, grid=SongBeatGrid.of_song(plan, "b"))


def changed(plan: Plan, **faults: Any) -> Plan:
    found = corrected_plan(plan, Findings(**faults))
    assert found is not None
    assert any(note.startswith("corrected: ") for note in found.notes)
    return found


def test_a_plan_without_faults_stays() -> None:
    assert corrected_plan(plan_of(), Findings()) is None


@pytest.mark.parametrize("lag_s", [0.013, -0.021])
def test_a_lag_moves_the_song(lag_s: float) -> None:
    plan = plan_of()
    found = changed(plan, drums=(drums(plan, lag_s),))
    moved = [found.sources[name].first_downbeat_s for name in ("b/drums", "b/other", "a/vocals")]
    assert moved == pytest.approx([lag_s, lag_s, 0.0], abs=1e-4)


@pytest.mark.parametrize("beats", [0.5, -0.5, 1.0, 0.44])
def test_beats_heard_elsewhere_move_the_song_to_the_nearest_phase(beats: float) -> None:
    plan = plan_of()
    heard = (HeardBeats(0.0, 64.0, beats),)
    found = changed(plan, drums=(drums(plan, 0.004),), beats=heard)
    expected_s = round(4 * beats) / 4 * BEAT_S + 0.004
    assert found.sources["b/drums"].first_downbeat_s == pytest.approx(expected_s, abs=1e-4)


def test_beats_heard_in_another_part_leave_the_song() -> None:
    plan = plan_of()
    heard = (HeardBeats(64.0, 128.0, 0.5),)
    assert corrected_plan(plan, Findings(drums=(drums(plan),), beats=heard)) is None


def test_a_drift_changes_the_tempo_of_the_song() -> None:
    plan = plan_of()
    found = changed(plan, drums=(drums(plan, -0.012, 0.0004),))
    source = found.sources["b/drums"]
    assert source.tempo_bpm == pytest.approx(120 / 1.0004, abs=1e-3)
    for bar in (2, 16, 30):  # where the strokes are
        assert source.grid.time_at(bar) == pytest.approx(bar * 2.0008 - 0.012, abs=2e-3)
    assert found.clips[1].stretch_ratio == pytest.approx(1 / 1.0004, abs=1e-5)


@pytest.mark.parametrize(("step_lu", "raised_s"), [(5.0, 30.0), (-4.0, 34.0)])
def test_a_step_is_ridden_on_its_quieter_side(step_lu: float, raised_s: float) -> None:
    plan = plan_of()
    found = changed(plan, steps_lu={32.0: step_lu})
    for clip in found.clips:
        (curve,) = clip.automation
        at = torch.tensor([1.0, 64 - raised_s, raised_s, 63.0]) * found.sample_rate
        gains_db = automation_curve(curve, found, at).tolist()
        assert gains_db == pytest.approx([0, 0, abs(step_lu) - 1.5, 0], abs=0.01)


def test_a_step_that_is_heard_at_two_near_splices_is_ridden_once() -> None:
    plan = plan_of()
    once = changed(plan, steps_lu={32.0: 4.5})
    assert changed(plan, steps_lu={31.994: 4.4, 32.0: 4.5, 32.5: 3.2}).clips == once.clips


@pytest.mark.parametrize(("lift_lu", "gain_db"), [(-3.0, 3.0), (8.0, -5.0)])
def test_vocals_are_brought_within_the_limits_of_their_loudness(
    lift_lu: float, gain_db: float
) -> None:
    found = changed(plan_of(), lift_lu=lift_lu)
    assert [clip.gain_db for clip in found.clips] == [gain_db, 0, 0]


@pytest.mark.parametrize(
    ("now", "best", "expected"),
    [((0, 0), 3, (2, -1)), ((1, -1), 10, (0, 0)), ((0, 0), 5, (-2, 2)), ((2, -2), 11, (2, -1))],
)
def test_a_clash_of_keys_takes_the_best_shift_in_reach(
    now: tuple[float, float], best: int, expected: tuple[float, float]
) -> None:
    fits = [0.1] * 12
    fits[best] = 0.9
    if best == 5:  # beyond two semitones a song
        fits[8] = 0.7
    found = changed(plan_of(now, key="C major"), key_fits=tuple(fits))
    vocals, percussion, backing = (clip.semitones for clip in found.clips)
    assert percussion == 0
    assert vocals - backing == expected[0] - expected[1]
    assert max(abs(vocals), abs(backing)) <= 2
    assert found.key == transposed("C major", round(backing - now[1]))


def test_phrases_are_chosen_anew_for_a_better_shift() -> None:
    plan = plan_of()
    moved = changed(plan, drums=(drums(plan, 0.013),))
    asked: list[Mapping[str, int]] = []

    def replan(semitones: Mapping[str, int]) -> Plan:
        asked.append(semitones)
        shifted = plan_of((2.0, 0.0), notes=["planned again"])
        clips = [clip.model_copy(update={"from_bar": 4.0}) for clip in shifted.clips]
        return shifted.model_copy(update={"clips": tuple(clips)})

    fits = (0.1, 0.2, 0.9, *[0.1] * 9)
    found = corrected_plan(moved, Findings(key_fits=fits, steps_lu={32.0: 5.0}), replan)
    assert found is not None
    assert asked == [{"a": 2, "b": 0}]
    assert [(clip.from_bar, clip.semitones) for clip in found.clips] == [(4, 2), (4, 0), (4, 0)]
    assert found.sources == moved.sources
    assert found.clips[0].automation == ()  # the step was between other phrases
    assert found.notes == (
        *("planned again", "corrected: b moved by +13 ms to its beats as heard"),
        "corrected: key: vocals by +2 semitones and instruments by +0",
    )


def test_a_requested_key_stays() -> None:
    fits = (0.1, 0.2, 0.9, *[0.1] * 9)
    assert corrected_plan(plan_of((1.0, 0.0), requested=("key",)), Findings(key_fits=fits)) is None


def test_a_loudness_of_the_vibe_that_is_out_of_reach_is_lowered() -> None:
    plan = plan_of(master={"loudness_lufs": -10.5})  # that of club at 0.5
    lowered = changed(plan, reached_lufs=-12.47).master
    assert (lowered.loudness_lufs, lowered.most_limiting_db) == (-12.5, 21.0)
    assert changed(plan_of(master={"most_limiting_db": 29}), reached_lufs=-12.47).master == (
        lowered.model_copy(update={"most_limiting_db": 30.0})
    )
    requested = plan_of(master={"loudness_lufs": -10.5}, requested=("loudness",))
    assert corrected_plan(requested, Findings(reached_lufs=-12.47)) is None


@pytest.mark.parametrize(
    ("fault", "side_gain_db"),
    [
        ({"correlation": -0.1}, -1.84),
        ({"mono_loss_lu": 4.0}, -2.76),
        ({"correlation": -0.1, "mono_loss_lu": 4.0}, -2.76),
    ],
)
def test_sides_that_cancel_the_middle_out_are_softened(
    fault: dict[str, float], side_gain_db: float
) -> None:
    found = changed(plan_of(), **fault)
    assert found.master.side_gain_db == pytest.approx(side_gain_db, abs=0.05)
    assert corrected_plan(plan_of(), Findings(correlation=-0.9)) is None


def test_an_edge_that_clicks_is_faded() -> None:
    found = changed(plan_of(), clicks=(("a/vocals", 8.0), ("b/other", 64.0)))
    fades = [(clip.fade_in_bars > 0, clip.fade_out_bars > 0) for clip in found.clips]
    assert fades == [(True, False), (False, False), (False, True)]
    assert corrected_plan(found, Findings(clicks=(("a/vocals", 8.0),))) is None
