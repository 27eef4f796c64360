"""Correction of the bars of songs, from the drums and beats that were heard in the mashup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.measures.timing import MAX_DRIFT_MS, MIN_ATTACKS, drift_s

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.mixing.measures.findings import Findings
    from mashup_worker.mixing.measures.timing import StemTiming
    from mashup_worker.mixing.plan import Plan, PlanSource

_STEPS_PER_BEAT = 4
_NEAR_S = 0.045
_MAX_TEMPO_CHANGE = 0.002
_MIN_MOVE_S = 0.002


def moved_sources(plan: Plan, findings: Findings) -> tuple[dict[str, PlanSource], list[str]]:
    """Return the sources of a plan with the bars of songs where they were heard, and notes.

    A song is moved by the lag of its drums. Where beats were heard between the planned ones, it is
    moved to the runner-up phase, which is the one nearest to them at which its drums are on the
    grid, and by beats where its bars were heard elsewhere. Drums that drift change its tempo.
    """
    sources, notes = dict(plan.sources), []
    for drums in findings.drums:
        if len(drums.lags_s) < MIN_ATTACKS or drums.name not in sources:
            continue
        source = sources[drums.name]
        shift_s, slope = _move(drums, plan, findings)
        if abs(shift_s) < _MIN_MOVE_S and not slope:
            continue
        ratio = _source_seconds(drums, plan)
        for name, one in plan.sources.items():
            if one.song == source.song:
                sources[name] = _moved(one, shift_s * ratio, slope, _pivot_s(drums, plan))
        notes.append(f"{source.song} moved by {1e3 * shift_s:+.0f} ms to its beats as heard")
        if slope:
            notes.append(f"{source.song} at {sources[drums.name].tempo_bpm:.3f} BPM, as it drifted")
    return sources, notes


def _move(drums: StemTiming, plan: Plan, findings: Findings) -> tuple[float, float]:
    """Return how much later the beats are than planned in seconds, and by how much they slow."""
    times_s = drums.attacks.times_s
    near = np.abs(drums.lags_s) <= _NEAR_S
    lag_s = float(np.median(drums.lags_s))
    beat_s = float(np.median(drums.grid.beat_s_at(times_s)))
    step_s = beat_s / _STEPS_PER_BEAT
    heard = [
        one.offset_beats
        for one in findings.beats
        if np.mean((times_s >= one.start_s) & (times_s < one.stop_s)) > 0.5
    ]
    offset_s = heard[0] * _plan_beat_s(drums, plan) if heard else 0.0
    shift_s = lag_s + step_s * round((offset_s - lag_s) / step_s)
    drifts = 1e3 * abs(drift_s(times_s, drums.lags_s)) > MAX_DRIFT_MS
    if not drifts or near.sum() < MIN_ATTACKS:
        return shift_s, 0.0
    slope = float(np.polyfit(times_s[near], drums.lags_s[near], 1)[0])
    return shift_s, slope if abs(slope) <= _MAX_TEMPO_CHANGE else 0.0


def _moved(source: PlanSource, shift_s: float, slope: float, pivot_s: float) -> PlanSource:
    def later(times_s: Array) -> Array:
        return times_s + shift_s + slope * (times_s - pivot_s)

    first, *beats = later(np.array([source.first_downbeat_s, *source.beats_s])).tolist()
    return source.model_copy(
        update={
            "first_downbeat_s": first,
            "beats_s": tuple(beats),
            "tempo_bpm": round(source.tempo_bpm / (1 + slope), 6),
        }
    )


def _source_seconds(drums: StemTiming, plan: Plan) -> float:
    """Return the seconds of a source that play in a second of the mashup."""
    clip = next(one for one in plan.clips if one.source == drums.name)
    return 1 / (clip.stretch_ratio or 1.0)


def _plan_beat_s(drums: StemTiming, plan: Plan) -> float:
    clip = next(one for one in plan.clips if one.source == drums.name)
    return plan.grid.span_at(clip.at_bar).bar_s / plan.grid.beats_per_bar


def _pivot_s(drums: StemTiming, plan: Plan) -> float:
    """Return the time in the source at the middle of the drums, which a change of tempo keeps."""
    clips = [one for one in plan.clips if one.source == drums.name]
    middle = np.mean([one.from_bar + one.source_bars / 2 for one in clips])
    return plan.sources[drums.name].grid.time_at(float(middle))
