"""The pulse of a song: evenly felt instants, at whichever metrical level they are felt most.

Which of the related levels people would tap is decided later, in `metre`; here it matters that the
pulse is one of them, that it keeps its phase over breaks, and that its period is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.analysis.onsets import FRAME_RATE_HZ
from mashup_worker.analysis.tempo_lines import (
    Line,
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
"""Price of an uneven step: this times the squared logarithm of its ratio to the period, against
onset strength with a standard deviation of 1."""

_CENTRE_BPM, _WIDTH_OCTAVES = 120.0, 0.9
_CANDIDATES = 5
_SLOWEST_BPM = 50.0
_STEADY_RESIDUAL_S = 0.020
_STEADY_SHARE = 0.7
_SOFT_COHERENCE, _SOFT_SHARE = 0.9, 0.4
_WANDER = 0.25
_PARTS, _FEWEST_PERIODS, _FAINT_PART = 4, 12, 0.3
_OTHER_STRENGTH, _OTHER_GAIN = 1.2, 0.8
_CLOSE = (1.0, 3 / 4, 4 / 3)
"""Dotted rhythms strike at these ratios without a change of tempo."""

_SMOOTHED_BEATS = 4


@dataclass(frozen=True, eq=False)
class Pulse:
    """A pulse through the whole song.

    Attributes:
        instants: in frames, rising, shape `(instants,)`.
        steady: whether they lie on a straight line.
        coherence: how much of the song keeps one phase, 0 to 1.
        strength: mean onset strength at the instants, in standard deviations over the song's mean.
        struck: how many of the instants have an onset that stands out.
    """

    instants: Array
    steady: bool
    coherence: float
    strength: float
    struck: int


def find_pulse(heard: Onsets, rhythm: Tempogram) -> Pulse | None:
    """The pulse of one song, from onsets and tempogram without batch axes.

    None where nothing begins.
    """
    strength = heard.strength.cpu().double().numpy()
    smooth = np.convolve(strength, [0.25, 0.5, 0.25], mode="same")
    if smooth.std() < 1e-9 or len(smooth) < 3:
        return None
    smooth = smooth / smooth.std()
    period, coherence = _best_period(heard, rhythm, smooth)
    tracked = track(smooth, period).astype(np.float64)
    line = _steadiest_line(smooth, period, tracked)
    if line is not None and _is_steady(line, coherence, smooth, tracked):
        exact = with_exact_period(line, heard.groups.cpu().double().numpy())
        instants, steady = exact.instants(len(smooth)), True
    else:
        instants, steady = _wandering(smooth, rhythm, period), False
    if len(instants) < 2:
        return None
    struck = int((_strength_at(smooth, instants) > smooth.mean() + 1.0).sum())
    return Pulse(instants, steady, coherence, _mean_strength(smooth, instants), struck)


def _best_period(heard: Onsets, rhythm: Tempogram, smooth: Array) -> tuple[float, float]:
    """The period, in frames, that is felt, kept and struck most, and its coherence."""
    best = -1.0, 60 * FRAME_RATE_HZ / _CENTRE_BPM, 0.0
    for bpm, felt in _candidates(rhythm):
        period, coherence = coherent_period(heard.groups, 60 * FRAME_RATE_HZ / bpm)
        struck = _mean_strength(smooth, best_phase(smooth, period))
        best = max(best, (felt * coherence * max(struck, 0.0), period, coherence))
    return best[1:]


def _candidates(rhythm: Tempogram) -> list[tuple[float, float]]:
    """The likeliest tempi of the whole song and how strongly each is felt."""
    overall = rhythm.strength.mean(dim=-1)
    octaves = torch.log2(rhythm.tempi_bpm / _CENTRE_BPM)
    felt = overall * torch.exp(-0.5 * (octaves / _WIDTH_OCTAVES) ** 2)
    felt = torch.where(rhythm.tempi_bpm < _SLOWEST_BPM, 0.0, felt)
    inner = felt[1:-1]
    peaks = torch.nonzero((inner > felt[:-2]) & (inner >= felt[2:]))[:, 0] + 1
    best = peaks[torch.argsort(felt[peaks], descending=True)][:_CANDIDATES]
    return [(float(rhythm.tempi_bpm[i]), float(felt[i])) for i in best]


def _steadiest_line(strength: Array, period: float, tracked: Array) -> Line | None:
    """A line from tracked beats or from the best constant phase, whichever meets more onsets."""
    starts = [beats for beats in (tracked, best_phase(strength, period)) if len(beats) > 2]
    lines = [fit_line(strength, beats, period) for beats in starts]
    return max(
        lines,
        key=lambda line: _mean_strength(strength, line.instants(len(strength))),
        default=None,
    )


def _is_steady(line: Line, coherence: float, strength: Array, tracked: Array) -> bool:
    """Whether onsets lie on the line, and beats that are free to move find hardly more of them.

    Bowed strings begin too softly for either; a song that is all in one phase is steady too.
    """
    if _changes_tempo(strength, line.period):
        return False
    on_line = _mean_strength(strength, line.instants(len(strength)))
    share = on_line / max(_mean_strength(strength, tracked), 1e-9)
    if line.residual <= _STEADY_RESIDUAL_S * FRAME_RATE_HZ and share >= _STEADY_SHARE:
        return True
    return coherence >= _SOFT_COHERENCE and share >= _SOFT_SHARE


def _changes_tempo(strength: Array, period: float) -> bool:
    """Whether some part of the song is struck at another period, and not at this one.

    A line and free beats alike miss a leap between tempi in a simple ratio.
    """
    ratios = [r for r in np.arange(0.75, 1.34, 0.01) if all(abs(r - c) > 0.035 for c in _CLOSE)]
    for part in np.array_split(strength, _PARTS):
        spread = part.std()
        if len(part) < _FEWEST_PERIODS * period or spread < _FAINT_PART:
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


def _wandering(strength: Array, rhythm: Tempogram, period: float) -> Array:
    """A pulse that follows the music: tracked beats, moved to their onsets and smoothed."""
    periods = _local_periods(rhythm, period, len(strength))
    beats = track(strength, periods).astype(np.float64)
    if len(beats) < 2 * _SMOOTHED_BEATS:
        return beats
    at, height = nearest_onsets(strength, beats, 0.1 * period)
    return _locally_straight(np.where(height > 0, at, beats), height + 0.1)


def _local_periods(rhythm: Tempogram, period: float, frames: int) -> Array:
    """The period at each frame: the path through the tempogram that is strong and moves little."""
    bpm = 60 * FRAME_RATE_HZ / period
    near = (rhythm.tempi_bpm > bpm * (1 - _WANDER)) & (rhythm.tempi_bpm < bpm * (1 + _WANDER))
    strength = rhythm.strength[near].cpu().double().numpy()
    tempi = rhythm.tempi_bpm[near].cpu().double().numpy()
    strength = strength / np.maximum(strength.max(axis=0), 1e-12)
    steps = np.arange(len(tempi))
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
    times = np.arange(strength.shape[1]) / rhythm.frame_rate_hz * FRAME_RATE_HZ
    return np.interp(np.arange(frames), times, 60 * FRAME_RATE_HZ / tempi[path[::-1]])


def _locally_straight(at: Array, weight: Array) -> Array:
    """Each instant moved onto the line through its neighbours."""
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
    """Frames of the sequence of beats that best trades onset strength against evenness.

    D. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36 (2007). All
    frames of half the shortest period are computed at once: none of them can follow another.

    Args:
        strength: onset strength, shape `(frames,)`, standard deviation about 1.
        period: frames a beat, one for all or one for each frame.
    """
    frames = len(strength)
    periods = np.broadcast_to(np.asarray(period, dtype=np.float64), (frames,))
    nearest = max(1, int(periods.min() / 2))
    farthest = int(np.ceil(periods.max() * 2))
    lags = np.arange(nearest, farthest + 1)
    log_lags = np.log(lags)
    # Before the sound stand free beats, so that the first may stand anywhere.
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
