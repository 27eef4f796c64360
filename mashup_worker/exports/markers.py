"""Places in a song that programs of DJs and producers mark: sections, cue points, loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mashup_worker.system.names import printable

if TYPE_CHECKING:
    from mashup_worker.analysis.form.result import Section
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.plan import Plan

MarkerKind = Literal["section", "hot cue", "memory cue"]

_SAME_PLACE_S = 0.05


@dataclass(frozen=True, order=True, kw_only=True)
class Marker:
    """Place in a song.

    Attributes:
        start_s: time.
        name: text that programs show.
        kind: sections have a length, hot cues are for performing, memory cues for mixing.
        stop_s: end of a section.
    """

    start_s: float
    name: str
    kind: MarkerKind
    stop_s: float | None = None


def markers_of_analysis(analysis: Analysis) -> tuple[Marker, ...]:
    """Return the places that an analysis found, in order of time.

    Drops and breaks that begin a section are marked by the section alone.
    """
    found = [_section(one) for one in analysis.sections]
    starts = [one.start_s for one in found]
    for cue in analysis.cue_points:
        kind: MarkerKind = "hot cue" if cue.kind in ("drop", "break") else "memory cue"
        if kind == "memory cue" or all(abs(cue.time_s - at) > _SAME_PLACE_S for at in starts):
            found.append(Marker(start_s=cue.time_s, name=cue.kind.capitalize(), kind=kind))
    return tuple(sorted(found, key=lambda one: one.start_s))


def _section(section: Section) -> Marker:
    role = "" if section.role is None else f"{section.role.capitalize()} "
    return Marker(
        start_s=section.start_s,
        name=f"{role}{section.label}",
        kind="section",
        stop_s=section.stop_s,
    )


def markers_of_plan(plan: Plan) -> tuple[Marker, ...]:
    """Return the sections of a mashup."""
    return tuple(
        Marker(
            start_s=plan.grid.time_at(section.at_bar),
            name=printable(section.name),
            kind="section",
            stop_s=plan.grid.time_at(section.at_bar + section.bars),
        )
        for section in sorted(plan.sections, key=lambda one: one.at_bar)
    )
