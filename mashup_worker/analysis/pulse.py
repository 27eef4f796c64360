"""Pulse of a song: regular instants at the strongest metrical level.

`meter` later decides which related level is the beat. The pulse must be one of these levels, keep
its phase over breaks, and have an exact period.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from mashup_worker.analysis.onsets import FRAME_RATE_HZ
from mashup_worker.analysis.tempo_lines import (
    TempoLine,
    best_phase,
    coherent_period,
    fit_line,
    nearest_onsets,
    with_exact_period,
)

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.tempogram import Tempogram

_TIGHTNESS = 100.0
"""Cost of an uneven step: this times the squared logarithm of its ratio to the period, compared to
onset strength with a standard deviation of 1."""

_CENTER_BPM, _WIDTH_OCTAVES = 120.0, 0.9
_CANDIDATES = 5
_SLOWEST_BPM = 50.0
_STEADY_RESIDUAL_S = 0.020
_STEADY_SHARE = 0.7
_SOFT_COHERENCE, _SOFT_SHARE = 0.9, 0.4
_TEMPO_DRIFT = 0.25
_PARTS, _MIN_PERIODS, _FAINT_PART = 4, 12, 0.3
_OTHER_STRENGTH, _OTHER_GAIN = 1.2, 0.8
_SAME_TEMPO_RATIOS = (1.0, 3 / 4, 4 / 3)
"""Ratios that dotted rhythms produce without a change of tempo."""

_SMOOTHED_BEATS = 4
_LOOSE_BEATS = 16
_LOOSE_SPREAD_S, LOOSE_DRIFT_S = 0.04, 0.045
"""How far nine of ten beats, and the median of sixteen, may lie from the line of a loose tempo."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pulse:
    """Pulse through a whole song.

    Attributes:
        instants: positions in frames, rising, shape `(instants,)`.
        steady: whether they lie on a straight line.
        coherence: degree to which the song keeps one phase, 0 to 1.
        strength: mean onset strength at the instants, in standard deviations above the mean.
        struck: number of instants with a clear onset.
        period: period in frames for which the whole song is most in phase.
    """

    instants: Array
    steady: bool
    coherence: float
    strength: float
    struck: int
    period: float


def find_pulse(onsets: Onsets, tempi: Tempogram) -> Pulse | None:
    """Find the pulse of one song from onsets and tempogram without batch axes.

    Returns:
        The pulse; None for a song without onsets.
    """
    strength = onsets.strength.cpu().double().numpy()
    smooth = np.convolve(strength, [0.25, 0.5, 0.25], mode="same")
    if smooth.std() < 1e-9 or len(smooth) < 3:
        return None
    smooth = smooth / smooth.std()
    period, coherence = _best_period(onsets, tempi, smooth)
    tracked = track(smooth, period).astype(np.float64)
    line = _steadiest_line(smooth, period, tracked)
    if line is not None and _is_steady(line, coherence, smooth, tracked):
        exact = with_exact_period(line, onsets.groups.cpu().double().numpy())
        instants, steady = exact.instants(len(smooth)), True
    else:
        instants, steady = _varying_pulse(smooth, tempi, period), False
        if line is not None and _is_loose(line, instants):
            instants, steady = line.instants(len(smooth)), True
    if len(instants) < 2:
        return None
    struck = int((_strength_at(smooth, instants) > smooth.mean() + 1.0).sum())
    return Pulse(
        instants=instants,
        steady=steady,
        coherence=coherence,
        strength=_mean_strength(smooth, instants),
        struck=struck,
        period=period,
    )


def _best_period(onsets: Onsets, tempi: Tempogram, smooth: Array) -> tuple[float, float]:
    """Return the best period in frames and its coherence.

    The score is the product of tempogram strength, coherence and onset strength.
    """
    best = -1.0, 60 * FRAME_RATE_HZ / _CENTER_BPM, 0.0
    for bpm, weight in _candidates(tempi):
        period, coherence = coherent_period(onsets.groups, 60 * FRAME_RATE_HZ / bpm)
        struck = _mean_strength(smooth, best_phase(smooth, period))
        best = max(best, (weight * coherence * max(struck, 0.0), period, coherence))
    return best[1:]


def _candidates(tempi: Tempogram) -> list[tuple[float, float]]:
    """Return the most likely tempi of the whole song with their weights."""
    overall = tempi.strength.mean(dim=-1)
    octaves = torch.log2(tempi.tempi_bpm / _CENTER_BPM)
    weight = overall * torch.exp(-0.5 * (octaves / _WIDTH_OCTAVES) ** 2)
    weight = torch.where(tempi.tempi_bpm < _SLOWEST_BPM, 0.0, weight)
    inner = weight[1:-1]
    peaks = torch.nonzero((inner > weight[:-2]) & (inner >= weight[2:]))[:, 0] + 1
    best = peaks[torch.argsort(weight[peaks], descending=True)][:_CANDIDATES]
    return [(float(tempi.tempi_bpm[i]), float(weight[i])) for i in best]


def _steadiest_line(strength: Array, period: float, tracked: Array) -> TempoLine | None:
    """Fit lines to the tracked beats and to the best constant phase; return the stronger one."""
    starts = [beats for beats in (tracked, best_phase(strength, period)) if len(beats) > 2]
    lines = [fit_line(strength, beats, period) for beats in starts]
    return max(
        lines, key=lambda line: _mean_strength(strength, line.instants(len(strength))), default=None
    )


def _is_steady(line: TempoLine, coherence: float, strength: Array, tracked: Array) -> bool:
    """Return whether a constant tempo fits the song.

    Either onsets lie on the line and freely tracked beats find hardly more of them, or the whole
    song keeps one phase: bowed strings start too softly for the first test.
    """
    if _changes_tempo(strength, line.period):
        return False
    on_line = _mean_strength(strength, line.instants(len(strength)))
    share = on_line / max(_mean_strength(strength, tracked), 1e-9)
    if line.residual <= _STEADY_RESIDUAL_S * FRAME_RATE_HZ and share >= _STEADY_SHARE:
        return True
    return coherence >= _SOFT_COHERENCE and share >= _SOFT_SHARE


def _is_loose(line: TempoLine, instants: Array) -> bool:
    """Return whether beats stray from a line and come back, as of people who play together.

    Beats whose tempo changes leave every line and do not come back.
    """
    if len(instants) < _LOOSE_BEATS:
        return False
    index = np.round((instants - line.start) / line.period)
    off = (instants - line.start - line.period * index) / FRAME_RATE_HZ
    drift = np.abs(np.median(sliding_window_view(off, _LOOSE_BEATS), axis=-1)).max()
    spread = np.quantile(np.abs(off), 0.9)
    return bool(drift <= LOOSE_DRIFT_S and spread <= _LOOSE_SPREAD_S)


def _changes_tempo(strength: Array, period: float) -> bool:
    """Return whether a part of the song has onsets at another period instead of this one.

    Neither a line nor tracked beats detect a jump between tempi in a simple ratio.
    """
    ratios = [
        ratio
        for ratio in np.arange(0.75, 1.34, 0.01)
        if all(abs(ratio - same) > 0.035 for same in _SAME_TEMPO_RATIOS)
    ]
    for part in np.array_split(strength, _PARTS):
        spread = part.std()
        if len(part) < _MIN_PERIODS * period or spread < _FAINT_PART:
            continue
        here = _best_strength(part / spread, period)
        other = max(_best_strength(part / spread, period * ratio) for ratio in ratios)
        if other > _OTHER_STRENGTH and other - here > _OTHER_GAIN:
            return True
    return False


def _best_strength(strength: Array, period: float) -> float:
    return _mean_strength(strength, best_phase(strength, period))


def _mean_strength(strength: Array, instants: Array) -> float:
    if len(instants) == 0:
        return 0.0
    return float(np.minimum(_strength_at(strength, instants), 3.0).mean() - strength.mean())


def _strength_at(strength: Array, instants: Array) -> Array:
    index = np.clip(np.round(instants).astype(int), 0, len(strength) - 1)
    return np.asarray(strength[index])


def _varying_pulse(strength: Array, tempi: Tempogram, period: float) -> Array:
    """Return a pulse that follows the music: tracked beats, moved to their onsets and smoothed."""
    periods = _local_periods(tempi, period, len(strength))
    beats = track(strength, periods).astype(np.float64)
    if len(beats) < 2 * _SMOOTHED_BEATS:
        return beats
    at, height = nearest_onsets(strength, beats, 0.1 * period)
    return _locally_straight(np.where(height > 0, at, beats), height + 0.1)


def _local_periods(tempi: Tempogram, period: float, frames: int) -> Array:
    """Return the period at each frame by the Viterbi path through the tempogram."""
    bpm = 60 * FRAME_RATE_HZ / period
    lowest, highest = bpm * (1 - _TEMPO_DRIFT), bpm * (1 + _TEMPO_DRIFT)
    near = (tempi.tempi_bpm > lowest) & (tempi.tempi_bpm < highest)
    strength = tempi.strength[near].cpu().double().numpy()
    tempi_bpm = tempi.tempi_bpm[near].cpu().double().numpy()
    strength = strength / np.maximum(strength.max(axis=0), 1e-12)
    steps = np.arange(len(tempi_bpm))
    price = 0.05 * np.square(steps[:, None] - steps)
    total = strength[:, 0]
    came_from = np.zeros(strength.shape, dtype=int)
    for i in range(1, strength.shape[1]):
        through = total - price
        came_from[:, i] = through.argmax(axis=1)
        total = through.max(axis=1) + strength[:, i]
    path = [int(total.argmax())]
    for i in range(strength.shape[1] - 1, 0, -1):
        path.append(int(came_from[path[-1], i]))
    times = np.arange(strength.shape[1]) / tempi.frame_rate_hz * FRAME_RATE_HZ
    return np.interp(np.arange(frames), times, 60 * FRAME_RATE_HZ / tempi_bpm[path[::-1]])


def _locally_straight(at: Array, weight: Array) -> Array:
    """Move each instant onto the line through its neighbors."""
    out = np.empty_like(at)
    for i in range(len(at)):
        near = slice(max(0, i - _SMOOTHED_BEATS), i + _SMOOTHED_BEATS + 1)
        index = np.arange(len(at))[near] - i
        share = weight[near] * np.exp(-0.5 * np.square(index / 2))
        mean_index, mean_at = share @ index / share.sum(), share @ at[near] / share.sum()
        away = index - mean_index
        slope = (share * away) @ (at[near] - mean_at) / max(float(share @ away**2), 1e-12)
        out[i] = mean_at - slope * mean_index
    return np.maximum.accumulate(out)


def track(strength: Array, period: float | Array) -> Indices:
    """Track beats by dynamic programming between onset strength and regularity.

    D. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36 (2007).
    Frames within half the shortest period cannot follow each other, so they are computed at once.

    Args:
        strength: onset strength, shape `(frames,)`, standard deviation about 1.
        period: frames per beat, one for all or one for each frame.

    Returns:
        Frames of the beats.
    """
    frames = len(strength)
    periods = np.broadcast_to(np.asarray(period, dtype=np.float64), (frames,))
    nearest = max(1, int(periods.min() / 2))
    farthest = int(np.ceil(periods.max() * 2))
    lags = np.arange(nearest, farthest + 1)
    log_lags = np.log(lags)
    # Beats before the sound cost nothing, so that the first beat may lie anywhere.
    score = np.zeros(farthest + frames)
    before = np.empty(frames, dtype=np.int64)
    for start in range(0, frames, nearest):
        at = np.arange(start, min(start + nearest, frames))
        price = _TIGHTNESS * np.square(log_lags - np.log(periods[at])[:, None])
        total = score[farthest + at[:, None] - lags] - price
        best = total.argmax(axis=1)
        score[farthest + at] = strength[at] + total[np.arange(len(at)), best]
        before[at] = at - lags[best]
    return _walk_back(score[farthest:], before, int(np.ceil(periods[-1])))


def _walk_back(score: Array, before: Indices, period: int) -> Indices:
    tail = max(0, len(score) - period)
    frame = tail + int(score[tail:].argmax())
    beats = []
    while frame >= 0:
        beats.append(frame)
        frame = int(before[frame])
    return np.array(beats[::-1], dtype=np.int64)
