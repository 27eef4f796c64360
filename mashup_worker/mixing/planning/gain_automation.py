"""Gain automation that keeps the loudness steady where stems enter and leave."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Automation
from mashup_worker.mixing.planning.levels import mean_power, power_to_db

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.plan import Clip
    from mashup_worker.mixing.plan_grid import PlanGrid
    from mashup_worker.mixing.song import MixSong

MAX_STEP_LU = 1.0
"""Largest change of loudness at a splice that stays uncorrected."""

_MAX_RAISE_DB = 12.0
_MIN_SEGMENT_BARS = 2.0
_RAMP_BARS = 0.25
_WINDOW_S = 3.0


def automate_gains(
    clips: Sequence[Clip], songs: Mapping[str, MixSong], grid: PlanGrid
) -> tuple[Clip, ...]:
    """Raise the quieter of two neighboring segments where their loudness differs too much.

    A segment reaches from one splice to the next. Where the loudness of 3 s before and after a
    splice differs by more than `MAX_STEP_LU`, the quieter segment is raised by the excess, by 12 dB
    at most. The gain changes in the quarter bar before the splice, so that it has its new value on
    the bar line.
    """
    edges = _segment_edges(clips, grid.bars)
    gains_db = _segment_gains(clips, songs, edges, grid)
    return tuple(_automated(clip, edges, gains_db) for clip in clips)


def _segment_edges(clips: Sequence[Clip], bars: float) -> list[float]:
    """Return the bars at which clips begin and end, without those that follow too closely."""
    edges = [0.0]
    for edge in sorted({edge for clip in clips for edge in (clip.at_bar, clip.end_bar)}):
        if edge - edges[-1] >= _MIN_SEGMENT_BARS and bars - edge >= _MIN_SEGMENT_BARS:
            edges.append(edge)
    return [*edges, bars]


def _segment_gains(
    clips: Sequence[Clip], songs: Mapping[str, MixSong], edges: Sequence[float], grid: PlanGrid
) -> list[float]:
    segments = list(itertools.pairwise(edges))
    gains_db = [0.0] * len(segments)
    playing = [[clip for clip in clips if _belongs(clip, segment)] for segment in segments]
    levels_db = []
    for index, edge in enumerate(edges[1:-1]):
        at_s = grid.time_at(edge)
        before = max(0.0, grid.bar_at(at_s - _WINDOW_S)), edge
        after = edge, min(edges[-1], grid.bar_at(at_s + _WINDOW_S))
        levels_db.append(
            (
                power_to_db(mean_power(playing[index], songs, before)),
                power_to_db(mean_power(playing[index + 1], songs, after)),
            )
        )
    # Raising a segment can require raising its neighbor; as many rounds as segments propagate it.
    for _ in gains_db:
        for index, (before_db, after_db) in enumerate(levels_db):
            step = after_db + gains_db[index + 1] - before_db - gains_db[index]
            quieter = index if step > 0 else index + 1
            excess = abs(step) - MAX_STEP_LU
            if excess > 0.05:
                gains_db[quieter] = min(_MAX_RAISE_DB, gains_db[quieter] + excess)
    return [round(gain, 2) for gain in gains_db]


def _belongs(clip: Clip, segment: tuple[float, float]) -> bool:
    """Return whether a clip plays in a segment for longer than an upbeat or a final tone."""
    start, stop = segment
    inside = min(stop, clip.end_bar) - max(start, clip.at_bar)
    return inside >= min(_MIN_SEGMENT_BARS, clip.bars / 2)


def _automated(clip: Clip, edges: Sequence[float], gains_db: Sequence[float]) -> Clip:
    points: list[tuple[float, float]] = []
    for (start, stop), gain in zip(itertools.pairwise(edges), gains_db, strict=True):
        if _belongs(clip, (start, stop)):
            first = max(start, clip.at_bar)
            points += [(first, gain), (max(first, min(stop, clip.end_bar) - _RAMP_BARS), gain)]
    if not any(gain for _, gain in points):
        return clip
    curve = Automation(parameter="gain_db", points=tuple(points))
    return clip.model_copy(update={"automation": (*clip.automation, curve)})
