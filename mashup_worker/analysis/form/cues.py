"""Cue points: places to start a song, to mix into it and out of it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mashup_worker.analysis.form.result import CuePoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.form.result import Bar, Section

_RISE_DB = 2.0


def find_cue_points(
    sections: Sequence[Section], bars: Sequence[Bar], bar_confidence: float
) -> tuple[CuePoint, ...]:
    """Return the cue points of a song, in order of time.

    The first downbeat begins the first bar. One mixes in at the end of the intro, or at the first
    downbeat without one, and out at the outro, or at the last section without one. A drop is a
    drop or chorus that is louder than the section before it.
    """
    if not bars or not sections:
        return ()
    first, rest = sections[0], sections[1:]
    cues = [CuePoint(bars[0].start_s, "first downbeat", bar_confidence)]
    enters = rest[0] if first.role == "intro" and rest else first
    cues.append(CuePoint(enters.start_s, "mix in", enters.confidence))
    if rest:
        leaves = next((one for one in sections if one.role == "outro"), sections[-1])
        cues.append(CuePoint(leaves.start_s, "mix out", leaves.confidence))
    for before, after in pairwise(sections):
        sure = after.role_confidence * after.confidence
        if after.role == "break":
            cues.append(CuePoint(after.start_s, "break", sure))
        elif after.role in ("chorus", "drop") and _rise_db(before, after, bars) >= _RISE_DB:
            cues.append(CuePoint(after.start_s, "drop", sure))
    return tuple(sorted(cues, key=lambda cue: cue.time_s))


def _rise_db(before: Section, after: Section, bars: Sequence[Bar]) -> float:
    return _level_db(after, bars) - _level_db(before, bars)


def _level_db(section: Section, bars: Sequence[Bar]) -> float:
    levels = [bar.level_db for bar in bars if section.start_s <= bar.start_s < section.stop_s]
    return sum(levels) / max(1, len(levels))
