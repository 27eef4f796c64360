"""Correction of a plan from the faults that were measured in its mashup."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mashup_worker.mixing.keys import transposed
from mashup_worker.mixing.plan import Automation, Clip, MasterSettings, Plan
from mashup_worker.mixing.planning.arrangement import set_stretch
from mashup_worker.mixing.planning.grid_correction import moved_sources
from mashup_worker.mixing.planning.harmony import MAX_SHIFT_SEMITONES
from mashup_worker.mixing.song import DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.measures.findings import Findings

_STEP_AIM_LU = 1.5
"""Step that a ride leaves at a splice, half of its limit."""

_MAX_RIDE_DB = 6.0
_RIDE_S, _HELD_S = 10.0, 3.0
_DROP_BARS = 0.25
_LIFT_AIM_LU = 0.0, 3.0
_EDGE_BARS = 0.0625
_SIDE_AIM = 0.8
"""Power of the sides relative to that of the middle; 1 is the limit."""

_MAX_NARROWING_DB = 6.0
_SAME_TIME_S = 0.002
_MAX_GAIN_DB = 24.0
_MORE_LIMITING_DB, _MAX_LIMITING_DB = 6.0, 30.0
"""Further limiting that a lowered loudness may take, and the most in all. The loudness reached took
more than the bound, which would keep the next rendering below it."""
_CORRECTED = "corrected: "
_GRID = ("tempo_bpm", "first_downbeat_s", "beats_s")

Replan = Callable[[Mapping[str, int]], Plan]
"""Plan of the same songs, transposed by semitones by name."""


def corrected_plan(plan: Plan, findings: Findings, replan: Replan | None = None) -> Plan | None:
    """Return a plan without the faults that were found, or None where nothing can be changed.

    - Drums that lag or drift move their song; beats that were heard between the planned ones move
      the song whose drums play there.
    - A step of loudness is ridden: the quieter side is raised towards the splice.
    - Vocals outside the limits of their loudness get another gain.
    - Vocals in a clashing key take the transposition, within two semitones a song, with the best
      agreement, unless a key was requested. With `replan`, which plans songs in a transposition,
      their phrases are chosen anew, so that their chords agree in it.
    - An edge that clicks gets a fade.
    - Left and right that cancel each other out get softer sides.
    - A loudness that limiting cannot reach is lowered to the one reached, unless it was requested.

    Notes of the new plan name the changes.
    """
    plan, findings, notes = _replanned(plan, findings, replan)
    sources, moved = moved_sources(plan, findings)
    notes += moved
    clips = list(plan.clips)
    for correct in (_lifted, _transposed, _ridden, _faded):
        clips, more = correct(plan, clips, findings)
        notes += more
    master, more = _mastered(plan, findings)
    notes += more
    if not notes:
        return None
    fixed = set_stretch(clips, sources, plan.grid)
    noted = (*plan.notes, *(f"{_CORRECTED}{note}" for note in notes))
    # Validated again, since a source that moved may stretch its clips beyond the limit.
    changes = {"sources": sources, "clips": fixed, "master": master, "notes": noted}
    changes["key"] = _key(plan, fixed)
    return Plan.model_validate(plan.model_copy(update=changes).model_dump())


def _mastered(plan: Plan, findings: Findings) -> tuple[MasterSettings, list[str]]:
    """Return settings with a loudness in reach, unless it was requested, and of less width."""
    changes, notes = dict[str, float](), []
    if findings.reached_lufs is not None and "loudness" not in plan.requested:
        changes["loudness_lufs"] = round(findings.reached_lufs, 1)
        more_db = plan.master.most_limiting_db + _MORE_LIMITING_DB
        changes["most_limiting_db"] = min(_MAX_LIMITING_DB, more_db)
        notes.append(f"loudness {changes['loudness_lufs']:g} LUFS, which limiting reaches")
    change_db = _side_change_db(findings)
    if -_MAX_NARROWING_DB <= change_db < 0:
        changes["side_gain_db"] = round(plan.master.side_gain_db + change_db, 2)
        notes.append(f"sides {change_db:+.1f} dB, since left and right cancelled each other out")
    return plan.master.model_copy(update=changes), notes


def _side_change_db(findings: Findings) -> float:
    """Return the gain with which the sides are softer than the middle, at most 0 dB.

    Of equally loud channels, both measurements state the ratio of the powers of side and middle.
    """
    ratio = 0.0
    if findings.correlation is not None:
        ratio = (1 - findings.correlation) / max(1 + findings.correlation, 1e-9)
    if findings.mono_loss_lu is not None:
        ratio = max(ratio, 10 ** (findings.mono_loss_lu / 10) - 1)
    return min(0.0, 10 * math.log10(_SIDE_AIM / ratio)) if ratio else 0.0


Corrected = tuple[list[Clip], list[str]]


def _lifted(plan: Plan, clips: Sequence[Clip], findings: Findings) -> Corrected:
    lift = findings.lift_lu
    if lift is None:
        return list(clips), []
    low, high = _LIFT_AIM_LU
    change_db = min(max(lift, low), high) - lift
    changed = [
        clip.model_copy(update={"gain_db": _limited(clip.gain_db + change_db)})
        if _sings(plan, clip)
        else clip
        for clip in clips
    ]
    return changed, [f"vocals {change_db:+.1f} dB, from {lift:+.1f} LU over the accompaniment"]


def _limited(gain_db: float) -> float:
    return round(min(_MAX_GAIN_DB, max(-60.0, gain_db)), 2)


def _transposed(plan: Plan, clips: Sequence[Clip], findings: Findings) -> Corrected:
    """Return clips in the relative transposition with the best agreement that is in reach."""
    shifts = _better_shifts(plan, findings)
    if shifts is None:
        return list(clips), []
    changed = []
    for clip in clips:
        shift = shifts[0 if _sings(plan, clip) else 1]
        is_drums = plan.sources[clip.source].kind == DRUMS
        changed.append(clip if is_drums else clip.model_copy(update={"semitones": float(shift)}))
    return changed, [_shift_note(shifts)]


def _replanned(
    plan: Plan, findings: Findings, replan: Replan | None
) -> tuple[Plan, Findings, list[str]]:
    """Return the plan of the songs in a better transposition, and the faults that it may have.

    The bars of songs that were corrected before stay.
    """
    shifts = _better_shifts(plan, findings)
    sung, played = (
        {one.song for one in plan.sources.values() if is_vocal(one.kind) == sings}
        for sings in (True, False)
    )
    if replan is None or shifts is None or sung & played:
        return plan, findings, []
    found = replan(dict.fromkeys(sung, shifts[0]) | dict.fromkeys(played, shifts[1]))
    grids = {
        one.song: {name: getattr(one, name) for name in _GRID} for one in plan.sources.values()
    }
    sources = {
        name: one.model_copy(update=grids.get(one.song, {})) for name, one in found.sources.items()
    }
    kept = tuple(note for note in plan.notes if note.startswith(_CORRECTED))
    changes = {"sources": sources, "notes": (*found.notes, *kept)}
    left = replace(findings, key_fits=(), steps_lu={}, clicks=())
    return found.model_copy(update=changes), left, [_shift_note(shifts)]


def _shift_note(shifts: tuple[int, int]) -> str:
    vocals, backing = shifts
    return f"key: vocals by {vocals:+d} semitones and instruments by {backing:+d}"


def _better_shifts(plan: Plan, findings: Findings) -> tuple[int, int] | None:
    """Return the semitones of vocals and instruments that agree better than the present ones."""
    if not findings.key_fits or "key" in plan.requested:
        return None
    pitched = [clip for clip in plan.clips if plan.sources[clip.source].kind != DRUMS]
    sung = {clip.semitones for clip in pitched if _sings(plan, clip)}
    played = {clip.semitones for clip in pitched if not _sings(plan, clip)}
    if len(sung) != 1 or len(played) != 1:  # several songs, each with a transposition of its own
        return None
    (vocals,), (backing,) = sung, played
    reach = range(-MAX_SHIFT_SEMITONES, MAX_SHIFT_SEMITONES + 1)
    vocal_shift, backing_shift = max(
        ((one, other) for one in reach for other in reach),
        key=lambda pair: (
            round(findings.key_fits[round(pair[0] - pair[1] - vocals + backing) % 12], 6),
            -abs(pair[0]) - abs(pair[1]),
            -abs(pair[1]),
        ),
    )
    is_same = vocal_shift - backing_shift == vocals - backing
    return None if is_same else (vocal_shift, backing_shift)


def _key(plan: Plan, clips: Sequence[Clip]) -> str | None:
    """Return the key in the transposition of the instruments."""
    shifts = (
        round(now.semitones - before.semitones)
        for now, before in zip(clips, plan.clips, strict=True)
        if plan.sources[now.source].kind != DRUMS and not _sings(plan, now)
    )
    return plan.key and transposed(plan.key, next(shifts, 0))


def _ridden(plan: Plan, clips: Sequence[Clip], findings: Findings) -> Corrected:
    """Return clips whose gain rises towards the louder side of each step."""
    notes, changed = [], list(clips)
    for at_s, step_lu in _separate_steps(findings.steps_lu):
        gain_db = round(min(_MAX_RIDE_DB, abs(step_lu) - _STEP_AIM_LU), 2)
        grid, at_bar = plan.grid, plan.grid.bar_at(at_s)
        if step_lu > 0:  # raised before the splice, where it is quieter
            far, near = (grid.bar_at(max(0.0, at_s - reach)) for reach in (_RIDE_S, _HELD_S))
            points = ((far, 0.0), (near, gain_db), (at_bar - _DROP_BARS, gain_db), (at_bar, 0.0))
        else:
            near, far = (grid.bar_at(at_s + reach) for reach in (_HELD_S, _RIDE_S))
            points = ((at_bar - _DROP_BARS, 0.0), (at_bar, gain_db), (near, gain_db), (far, 0.0))
        curve = Automation(parameter="gain_db", points=tuple(sorted(points)))
        first, last = curve.points[0][0], curve.points[-1][0]
        changed = [
            clip.model_copy(update={"automation": (*clip.automation, curve)})
            if clip.at_bar < last and clip.end_bar > first
            else clip
            for clip in changed
        ]
        notes.append(f"level ridden by {gain_db:g} dB at {at_s:.1f} s, from {step_lu:+.1f} LU")
    return changed, notes


def _separate_steps(steps_lu: Mapping[float, float]) -> list[tuple[float, float]]:
    """Return the largest of steps so close that their windows of 3 s hear the same step."""
    chosen: list[tuple[float, float]] = []
    for at_s, step_lu in sorted(steps_lu.items(), key=lambda one: -abs(one[1])):
        if all(abs(at_s - other_s) >= _HELD_S for other_s, _ in chosen):
            chosen.append((at_s, step_lu))
    return sorted(chosen)


def _faded(plan: Plan, clips: Sequence[Clip], findings: Findings) -> Corrected:
    changed, notes = list(clips), []
    for source, at_s in findings.clicks:
        for index, clip in enumerate(changed):
            if clip.source == source:
                faded = _with_fades(clip, _edges_at(plan, clip, at_s))
                if faded != clip:
                    changed[index] = faded
                    notes.append(f"{source} faded at {at_s:.2f} s, where it clicked")
    return changed, notes


def _edges_at(plan: Plan, clip: Clip, at_s: float) -> tuple[bool, bool]:
    edges_s = (plan.grid.time_at(bar) for bar in (clip.at_bar, clip.end_bar))
    begins, ends = (abs(edge_s - at_s) <= _SAME_TIME_S for edge_s in edges_s)
    return begins, ends


def _with_fades(clip: Clip, edges: tuple[bool, bool]) -> Clip:
    names = ("fade_in_bars", "fade_out_bars")
    longest = min(_EDGE_BARS, clip.bars / 2)
    changes: Mapping[str, float] = {
        name: longest
        for name, clicks in zip(names, edges, strict=True)
        if clicks and not getattr(clip, name)
    }
    return clip.model_copy(update=dict(changes))


def _sings(plan: Plan, clip: Clip) -> bool:
    return is_vocal(plan.sources[clip.source].kind)
