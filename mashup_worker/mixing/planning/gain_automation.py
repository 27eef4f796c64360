"""Riding the gains: louder where a voice rests or few parts play, so that no splice jumps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Automation
from mashup_worker.mixing.planning.levels import decibels, power_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.plan import Clip
    from mashup_worker.mixing.song import MixSong

MOST_STEP_LU = 1.0
"""Of loudness from one stretch of the mashup to the next."""

_MOST_RIDE_DB = 12.0
_SHORTEST_BARS = 2.0
_MOVE_BARS = 0.25
_SIDE_S = 3.0


def ridden(
    clips: Sequence[Clip], songs: Mapping[str, MixSong], bars: float, bar_s: float
) -> tuple[Clip, ...]:
    """Clips whose gains move from stretch to stretch.

    Stretches reach from one splice to the next. Where the loudness of three seconds would jump by
    more than `MOST_STEP_LU` between two of them, the quieter one is raised by what is missing, 12
    dB at most; the gain moves in the quarter bar before a splice, so that what is on the bar line
    has it.
    """
    edges = _edges(clips, bars)
    gains_db = _gains(clips, songs, edges, _SIDE_S / bar_s)
    return tuple(_moving(clip, edges, gains_db) for clip in clips)


def _edges(clips: Sequence[Clip], bars: float) -> list[float]:
    """Bars at which clips begin and end; those too close to one before them are left out."""
    found = [0.0]
    inside = {edge for clip in clips for edge in (clip.at_bar, clip.end_bar)}
    for edge in sorted(inside):
        if edge - found[-1] >= _SHORTEST_BARS and bars - edge >= _SHORTEST_BARS:
            found.append(edge)
    return [*found, bars]


def _gains(
    clips: Sequence[Clip], songs: Mapping[str, MixSong], edges: Sequence[float], reach_bars: float
) -> list[float]:
    """What each stretch is raised by."""
    stretches = list(itertools.pairwise(edges))
    gains_db = [0.0] * len(stretches)
    staying = [[clip for clip in clips if _stays(clip, stretch)] for stretch in stretches]
    sides = []
    for index, edge in enumerate(edges[1:-1]):
        spans = (max(0.0, edge - reach_bars), edge), (edge, min(edges[-1], edge + reach_bars))
        sides.append(
            [
                decibels(power_between(staying[index + side], songs, span))
                for side, span in enumerate(spans)
            ]
        )
    # Each raise may call for one beside it; a few rounds carry that through.
    for _ in gains_db:
        for index, (before, after) in enumerate(sides):
            step = after + gains_db[index + 1] - before - gains_db[index]
            quieter = index if step > 0 else index + 1
            missing = abs(step) - MOST_STEP_LU
            if missing > 0.05:
                gains_db[quieter] = min(_MOST_RIDE_DB, gains_db[quieter] + missing)
    return [round(gain, 2) for gain in gains_db]


def _stays(clip: Clip, stretch: tuple[float, float]) -> bool:
    """Whether a clip belongs to a stretch: upbeats and last tones of a voice only reach into it."""
    start, stop = stretch
    inside = min(stop, clip.end_bar) - max(start, clip.at_bar)
    return inside >= min(_SHORTEST_BARS, clip.bars / 2)


def _moving(clip: Clip, edges: Sequence[float], gains_db: Sequence[float]) -> Clip:
    """A clip that has the gains of the stretches that it belongs to."""
    points: list[tuple[float, float]] = []
    for (start, stop), gain in zip(itertools.pairwise(edges), gains_db, strict=True):
        if _stays(clip, (start, stop)):
            first = max(start, clip.at_bar)
            points += [(first, gain), (max(first, min(stop, clip.end_bar) - _MOVE_BARS), gain)]
    if not any(gain for _, gain in points):
        return clip
    ride = Automation(parameter="gain_db", points=tuple(points))
    return clip.model_copy(update={"automation": (*clip.automation, ride)})
