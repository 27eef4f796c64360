"""Songs for tests of planning."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.unit.mashups import song

if TYPE_CHECKING:
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.song import MixSong

ALL = range(32)


@cache
def vocal_song(name: str = "lead") -> MixSong:
    """Return a song of 32 bars with vocals in bars 4 to 11."""
    return song(name, bars=32, vocals=range(4, 12), drums=ALL, bass=ALL, other=ALL)


@cache
def backing_song(name: str = "band") -> MixSong:
    """Return a song of 32 bars without vocals."""
    return song(name, bars=32, drums=ALL, bass=ALL, other=ALL)


def spans(plan: Plan, source: str) -> list[tuple[float, float]]:
    """Return the bars between which clips of a source play."""
    return [(clip.at_bar, clip.end_bar) for clip in plan.clips if clip.source == source]
