"""Plans of small mashups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashup_worker.mixing.plan import plan_of

if TYPE_CHECKING:
    from mashup_worker.mixing.plan import Plan

    Spans = dict[str, list[tuple[float, float]]]
    """By stem, such as `"a/drums"`, the bars between which it plays."""


def mashup_plan(spans: Spans, *, bars: int = 8, tempo_bpm: float = 120.0, **changes: Any) -> Plan:
    """A plan of stems that play between bars."""
    sources = {}
    for name in spans:
        song, _, kind = name.partition("/")
        about = {"path": f"{name}.wav", "song": song, "kind": kind}
        beats = {"tempo_bpm": tempo_bpm, "beats_per_bar": 4, "first_downbeat_s": 0.0}
        sources[name] = about | beats
    clips = [
        {"source": name, "at_bar": at, "bars": end - at, "from_bar": at, "source_bars": end - at}
        for name, pieces in spans.items()
        for at, end in pieces
    ]
    grid = {"tempo_bpm": tempo_bpm, "beats_per_bar": 4, "bars": bars}
    common = {"form": "layer", "vibe": "club", "intensity": 0.5, "transition": "cut"}
    return plan_of(common | {"grid": grid, "sources": sources, "clips": clips} | changes)
