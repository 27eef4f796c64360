"""Refinement of a song's bars to the millisecond, from the attacks of its stems."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.grid import FixedTempoGrid
from mashup_worker.mixing.measures.attacks import Attacks, find_attacks
from mashup_worker.mixing.measures.beats import BeatGrid
from mashup_worker.mixing.measures.tempo import fit_tempo
from mashup_worker.mixing.measures.timing import MIN_ATTACKS, song_subdivision, stem_timing
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.mixing.grid import SongGrid
    from mashup_worker.mixing.song import SongStem

_MAX_TEMPO_CHANGE = 0.002
"""Largest relative correction of the tempo; an analysis that is further off is wrong."""

_MAX_TEMPO_ERROR_BPM = 0.02
_MAX_SHIFT_S = 0.02
_MAX_THREADS = 2


def refine_grid(grid: SongGrid, stems: Mapping[str, SongStem]) -> SongGrid:
    """Correct the tempo and the first downbeat of a grid so that beats coincide with attacks.

    Drums, if any, decide where bars begin. Grids of variable tempo, and songs with few clear
    attacks, stay unchanged. Other stretches of the song have no influence.
    """
    if not isinstance(grid, FixedTempoGrid):
        return grid
    with ThreadPoolExecutor(_MAX_THREADS) as pool:
        found = pool.map(find_attacks, [stem.audio for stem in stems.values()])
        attacks = {kind: _inside(one, grid) for kind, one in zip(stems, found, strict=True)}
    duration_s = min(grid.stop_s, max(stem.audio.duration_s for stem in stems.values()))
    beats = _beats(grid, duration_s)
    subdivision = song_subdivision(list(attacks.values()), beats)
    timings = [
        stem_timing(kind, kind, one, grid=beats, subdivision=subdivision)
        for kind, one in attacks.items()
    ]
    fit = fit_tempo(timings, beats)
    if (
        fit is not None
        and fit.error_bpm <= _MAX_TEMPO_ERROR_BPM
        and abs(fit.tempo_bpm / grid.tempo_bpm - 1) <= _MAX_TEMPO_CHANGE
    ):
        grid = replace(grid, tempo_bpm=fit.tempo_bpm)
        beats = _beats(grid, duration_s)
    reference = attacks.get(DRUMS) or max(attacks.values(), key=len)
    if len(reference) < MIN_ATTACKS:
        return grid
    lags_s = subdivision.lags_s(beats.positions(reference.strong.times_s), beats.beat_s)
    shift_s = float(np.median(lags_s))
    if abs(shift_s) > _MAX_SHIFT_S:
        return grid
    return replace(grid, first_downbeat_s=grid.first_downbeat_s + shift_s)


def _inside(attacks: Attacks, grid: FixedTempoGrid) -> Attacks:
    """Return the attacks in the bars of a grid; all of a grid that covers its song."""
    if math.isinf(grid.stop_s):
        return attacks
    times_s = attacks.times_s
    return attacks.where(
        (times_s >= grid.first_downbeat_s - _MAX_SHIFT_S) & (times_s < grid.stop_s - _MAX_SHIFT_S)
    )


def _beats(grid: FixedTempoGrid, duration_s: float) -> BeatGrid:
    beat_s = 60.0 / grid.tempo_bpm
    count = max(2, int((duration_s - grid.first_downbeat_s) / beat_s) + 1)
    return BeatGrid(grid.first_downbeat_s + beat_s * np.arange(count), grid.beats_per_bar)
