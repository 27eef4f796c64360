"""Measurement of the beats and bars that an analysis hears in a mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.measures.beats import Subdivision
from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.measures.beats import BeatGrid

MAX_BEAT_DISTANCE_MS = 20.0

_MIN_CONFIDENCE = 0.7
_SAME_LEVEL = 0.03


def measure_beats(
    analysis: Analysis | None, grid: BeatGrid, place: str = ""
) -> tuple[Measurement, ...]:
    """Judge whether an analysis of the mix, or of a place in it, finds the planned beats and bars.

    The median distance of its beats from the nearest planned ones is 20 ms at most, and its bars
    begin on the same beat. Beats are not judged where their own confidence is below 70 %, bars
    where that of the bars is, and neither at another metrical level, such as half the tempo.
    """
    name, wanted = f"beats detected{place}", f"<= {MAX_BEAT_DISTANCE_MS:g} ms"
    if analysis is None or analysis.tempo_bpm is None or not analysis.downbeats_s:
        return (Measurement(name, None, "ms", wanted=wanted, detail="the analysis found no beats"),)
    is_sure = analysis.beat_confidence >= _MIN_CONFIDENCE
    detail = f"confidence {analysis.beat_confidence:.2f}"
    if abs(analysis.tempo_bpm / grid.tempo_bpm - 1) > _SAME_LEVEL:
        detail += f"; another level, {analysis.tempo_bpm:.2f} BPM"
        return (Measurement(name, None, "ms", wanted=wanted, detail=detail),)
    positions = grid.positions(np.array(analysis.beats_s))
    lags_s = Subdivision("beats", (0.0,)).lags_s(positions, grid.beat_s)
    distance_ms = 1e3 * float(np.median(np.abs(lags_s)))
    passed = distance_ms <= MAX_BEAT_DISTANCE_MS if is_sure else None
    beats = Measurement(name, distance_ms, "ms", wanted=wanted, passed=passed, detail=detail)
    downbeats = np.round(grid.positions(np.array(analysis.downbeats_s)))
    counts = np.bincount(np.mod(downbeats, grid.beats_per_bar).astype(int))
    beat = int(counts.argmax()) + 1
    same_meter = analysis.beats_per_bar == grid.beats_per_bar
    are_sure = same_meter and is_sure and analysis.bar_confidence >= _MIN_CONFIDENCE
    passed = beat == 1 if are_sure else None
    bars = Measurement(
        f"downbeats detected{place} on beat",
        float(beat),
        "",
        wanted="1",
        passed=passed,
        detail=detail,
    )
    return beats, bars


def heard_offset_beats(analysis: Analysis, grid: BeatGrid, found: Sequence[Measurement]) -> float:
    """Return how many beats later than planned beats and bars are heard, 0 where neither fails."""
    failed = [one.passed is False for one in found]
    if not any(failed):
        return 0.0
    positions = grid.positions(np.array(analysis.beats_s))
    # The median of an angle, since beats may lie half a beat off on either side.
    turns = np.exp(2j * np.pi * positions).mean()
    offset = float(np.angle(turns)) / (2 * np.pi)
    if not failed[-1]:
        return offset
    downbeats = np.mod(
        np.round(grid.positions(np.array(analysis.downbeats_s)) - offset), grid.beats_per_bar
    )
    beat = int(np.bincount(downbeats.astype(int)).argmax())
    return offset + (beat if beat <= grid.beats_per_bar / 2 else beat - grid.beats_per_bar)
