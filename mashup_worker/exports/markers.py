"""Places in a song that programs of DJs and producers mark: sections, cue points, loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.plan import Plan

MarkerKind = Literal["section", "hot cue", "memory cue"]


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
    """Return the places that an analysis found, in order."""
    if not analysis.downbeats_s:
        return ()
    return (Marker(start_s=analysis.downbeats_s[0], name="First downbeat", kind="memory cue"),)


def markers_of_plan(plan: Plan) -> tuple[Marker, ...]:
    """Return the sections of a mashup."""
    return tuple(
        Marker(
            start_s=plan.grid.time_at(section.at_bar),
            name=section.name,
            kind="section",
            stop_s=plan.grid.time_at(section.at_bar + section.bars),
        )
        for section in sorted(plan.sections, key=lambda one: one.at_bar)
    )
