"""Timing that stems keep from their songs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mashup_worker.mixing.measures.attacks import Attacks
from mashup_worker.mixing.measures.kept_timing import measure_kept_timing
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from mashup_worker.mixing.measures.report import Measurement
    from mashup_worker.mixing.plan import Plan

OWN_S = np.sort(np.random.default_rng(0).uniform(0.3, 60.0, 60))
"""Attacks of a free voice at 120 BPM, which follow no grid."""


def voice_plan(factor: float = 1.0, *, from_bar: float = 4.0, tempo_bpm: float = 120.0) -> Plan:
    """Return a plan at 120 BPM in which a voice sings from bar 6 to bar 18."""
    plan = mashup_plan({"a/vocals": [(6, 18)], "b/drums": [(0, 24)]}, bars=24)
    clip = plan.clips[0].model_copy(update={"from_bar": from_bar, "source_bars": 12 * factor})
    source = plan.sources["a/vocals"].model_copy(update={"tempo_bpm": tempo_bpm})
    sources = {**plan.sources, "a/vocals": source}
    return plan.model_copy(update={"clips": (clip, plan.clips[1]), "sources": sources})


def measured(plan: Plan, played_s: np.ndarray, own_s: np.ndarray = OWN_S) -> list[Measurement]:
    own, played = (Attacks(times_s, np.ones(len(times_s))) for times_s in (own_s, played_s))
    return list(measure_kept_timing("a/vocals", played, own, plan))


def sung_s(factor: float = 1.0, from_bar: float = 4.0, tempo_bpm: float = 120.0) -> np.ndarray:
    """Return the times at which a faithful mashup of `voice_plan` has the attacks."""
    bars = OWN_S * tempo_bpm / 240
    times_s = 12.0 + 2.0 * (bars - from_bar) / factor
    return times_s[(times_s >= 12) & (times_s < 36)]


@pytest.mark.parametrize(("factor", "tempo_bpm"), [(1, 120), (1, 112), (2 / 3, 80), (4 / 3, 165)])
def test_a_free_voice_that_keeps_its_timing_passes(factor: float, tempo_bpm: float) -> None:
    plan = voice_plan(factor, tempo_bpm=tempo_bpm)
    found = measured(plan, sung_s(factor, tempo_bpm=tempo_bpm))
    assert [one.passed for one in found] == [True] * 3
    assert [one.value for one in found] == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("late_s", [0.008, -0.03])
def test_a_voice_that_is_late_throughout_fails(late_s: float) -> None:
    median, p95, drift = measured(voice_plan(), sung_s() + late_s)
    assert median.value == pytest.approx(1e3 * abs(late_s), abs=0.1)
    assert (median.passed, p95.passed, drift.passed) == (False, abs(late_s) < 0.015, True)


def test_a_voice_that_drifts_or_jumps_fails() -> None:
    faithful_s = sung_s()
    drifting_s = faithful_s + 0.03 * (faithful_s - 12) / 24
    assert not measured(voice_plan(), drifting_s)[2].passed
    jumping_s = faithful_s + 0.03 * ((faithful_s >= 24) & (faithful_s < 28))
    median, p95, _ = measured(voice_plan(), jumping_s)
    assert (median.passed, p95.passed) == (True, False)
    stray_s = faithful_s + 0.03 * (np.arange(len(faithful_s)) == 7)
    assert all(one.passed for one in measured(voice_plan(), stray_s))


def test_a_clip_that_begins_beside_a_beat_changes_the_timing() -> None:
    off = measured(voice_plan(from_bar=4.01), sung_s(from_bar=4.01))[0]
    assert off.value == pytest.approx(20.0)
    assert off.passed is False


def test_few_attacks_are_not_judged() -> None:
    assert [one.passed for one in measured(voice_plan(), sung_s()[:7])] == [None] * 3
    nothing = np.zeros(0)
    assert [one.value for one in measured(voice_plan(), nothing, nothing)] == [None] * 3
