"""Truth of a song, derived from its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synth.roadshow.harmony import TONICS
from synth.song import Truth

if TYPE_CHECKING:
    from synth.roadshow.plan import Plan

# A beat counts as sounding when it lies this close before the first sound or after the last.
_SLACK_S = 0.04


def truth_of(plan: Plan, onsets_s: list[float]) -> Truth:
    """Truth of a song whose sounds begin at `onsets_s`."""
    beats_s = np.interp(plan.counted, plan.marks_beats, plan.marks_s)
    first = plan.bars[0]
    starts = {-float(first.section.arrangement.beats), *(bar.start for bar in plan.bars)}
    inside = (beats_s >= min(onsets_s) - _SLACK_S) & (beats_s <= max(onsets_s) + _SLACK_S)
    downbeats = inside & np.isin(plan.counted, sorted(starts))
    lines = [bar.section.arrangement for bar in plan.bars]
    harmony = any(one.comps or one.bass for one in lines)
    drummed = sum(
        "drums" in section.layers and bool(section.arrangement.drums[section.groove])
        for section in (bar.section for bar in plan.bars)
    )
    return Truth(
        tempo_bpm=round(60 / float(np.median(np.diff(beats_s[inside]))), 3),
        beats_s=tuple(beats_s[inside].tolist()),
        downbeats_s=tuple(beats_s[downbeats].tolist()),
        beats_per_bar=first.section.arrangement.beats,
        key=f"{TONICS[plan.tonic]} {plan.mode}" if harmony else None,
        tuning_cents=plan.tuning_cents,
        has_drums=2 * drummed >= len(plan.bars),
        style=plan.name,
    )
