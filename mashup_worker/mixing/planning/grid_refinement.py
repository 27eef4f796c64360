"""Bars to a millisecond: an analysis says where beats are, attacks say where exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.grid import SteadyGrid
from mashup_worker.mixing.measures.attacks import find_attacks
from mashup_worker.mixing.measures.beats import BeatGrid
from mashup_worker.mixing.measures.timing import FEWEST_ATTACKS, fit_tempo, played, song_feel
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.mixing.grid import SongGrid
    from mashup_worker.mixing.song import Part

_MOST_CHANGE = 0.002
"""Of the tempo. An analysis is never further off, unless it is wrong, which nothing here mends."""

_SURE_BPM = 0.02
_MOST_SHIFT_S = 0.02


def exact(grid: SongGrid, parts: Mapping[str, Part]) -> SongGrid:
    """A grid moved and stretched to where a song's attacks are.

    Grids that follow the music, and songs with few clear attacks, stay as they are.

    Args:
        grid: bars as an analysis found them.
        parts: the song's stems; its drums, where it has any, say where the bars begin.
    """
    if not isinstance(grid, SteadyGrid):
        return grid
    attacks = {kind: find_attacks(part.audio) for kind, part in parts.items()}
    duration_s = max(part.audio.duration_s for part in parts.values())
    beats = _beats(grid, duration_s)
    feel = song_feel(list(attacks.values()), beats)
    fit = fit_tempo([played(kind, kind, one, beats, feel) for kind, one in attacks.items()], beats)
    if (
        fit is not None
        and fit.error_bpm <= _SURE_BPM
        and abs(fit.tempo_bpm / grid.tempo_bpm - 1) <= _MOST_CHANGE
    ):
        grid = replace(grid, tempo_bpm=fit.tempo_bpm)
        beats = _beats(grid, duration_s)
    leader = attacks.get(DRUMS) or max(attacks.values(), key=len)
    if len(leader) < FEWEST_ATTACKS:
        return grid
    lags_s = feel.lags_s(beats.positions(leader.strong.times_s), beats.beat_s)
    shift_s = float(np.median(lags_s))
    if abs(shift_s) > _MOST_SHIFT_S:
        return grid
    return replace(grid, first_downbeat_s=grid.first_downbeat_s + shift_s)


def _beats(grid: SteadyGrid, duration_s: float) -> BeatGrid:
    beat_s = 60.0 / grid.tempo_bpm
    count = max(2, int((duration_s - grid.first_downbeat_s) / beat_s) + 1)
    return BeatGrid(grid.first_downbeat_s + beat_s * np.arange(count), grid.beats_per_bar)
