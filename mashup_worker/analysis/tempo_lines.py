"""Straight lines through onsets: a constant tempo, exact to a few thousandths of a BPM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array

_HARMONICS = 4
_PERIODS_IN_STEP = 8
_PASSES = 4


@dataclass(frozen=True)
class Line:
    """A pulse with a constant period: instant `i` lies at `start + i * period`, in frames.

    Attributes:
        start: instant 0.
        period: distance of instants.
        residual: median distance of the onsets from the line.
    """

    start: float
    period: float
    residual: float

    def instants(self, frames: int) -> Array:
        """All instants within a song of this many frames."""
        first = np.ceil(-self.start / self.period)
        last = np.floor((frames - 1 - self.start) / self.period)
        return np.asarray(self.start + np.arange(first, last + 1) * self.period)


def coherent_period(groups: Tensor, period: float, *, spread: float = 0.02) -> tuple[float, float]:
    """The period near `period` with which the whole song is in step, and how much it is.

    Args:
        groups: onset strength by band, shape `(bands, frames)`.
        period: in frames.
        spread: how far the period may lie off, as a share of it.

    Returns:
        The period in frames, and the coherence: 1 where all the song keeps one phase, towards 0
        where the phase wanders.
    """
    centred = groups - groups.mean(dim=-1, keepdim=True)
    # Peaks of the sum are as wide as the song is long; the highest harmonic gets four steps a peak.
    steps = max(3, int(np.ceil(4 * _HARMONICS * spread * groups.shape[-1] / period)))
    cycles = torch.linspace(1 - spread, 1 + spread, 2 * steps + 1, dtype=torch.float64) / period
    harmonics = [_magnitudes(centred, k * cycles).sum(dim=0) for k in range(1, _HARMONICS + 1)]
    strength = torch.stack(harmonics).sum(dim=0)
    best = int(strength.argmax())
    shift = 0.0
    if 0 < best < len(strength) - 1:
        left, peak, right = (float(one) for one in strength[best - 1 : best + 2])
        bend = left - 2 * peak + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    found = 1 / (float(cycles[best]) + shift * float(cycles[1] - cycles[0]))
    return found, _coherence(centred, found)


def _magnitudes(signals: Tensor, cycles_per_frame: Tensor) -> Tensor:
    """Magnitudes of Fourier sums at given frequencies, shape `(bands, frequencies)`.

    Frequencies are evenly spaced, so the sum is a product of two short ones (blocks of the signal,
    then blocks among themselves) instead of one sine for each frame and frequency.
    """
    frames = signals.shape[-1]
    block = max(1, round(frames**0.5))
    padded = torch.nn.functional.pad(signals, (0, -frames % block))
    blocks = padded.unflatten(-1, (-1, block)).to(torch.complex64)
    cycles = cycles_per_frame.to(signals.device)
    inner = _turns(cycles[:, None] * torch.arange(block, device=signals.device))
    starts = torch.arange(blocks.shape[-2], device=signals.device) * block
    outer = _turns(cycles[:, None] * starts)
    sums: Tensor = ((blocks @ inner.T) * outer.T).sum(dim=-2)
    return sums.abs()


def _turns(cycles: Tensor) -> Tensor:
    angle = (-2 * torch.pi * torch.remainder(cycles, 1.0)).float()
    return torch.polar(torch.ones_like(angle), angle)


def _coherence(centred: Tensor, period: float) -> float:
    block = max(1, round(_PERIODS_IN_STEP * period))
    usable = centred.shape[-1] // block * block
    if usable < 2 * block:
        return 1.0
    cycles = torch.tensor([1.0, 2.0], dtype=torch.float64) / period
    whole = _magnitudes(centred[:, :usable], cycles).sum()
    blocks = centred[:, :usable].reshape(-1, block)
    return float(whole / _magnitudes(blocks, cycles).sum().clamp_min(1e-12))


def best_phase(strength: Array, period: float) -> Array:
    """Instants with a constant period where, in sum, onsets are strongest; shape `(instants,)`."""
    count = max(1, int((len(strength) - 1) / period))
    phases = np.linspace(0, period, max(2, round(2 * period)), endpoint=False)
    at = np.round(phases[:, None] + np.arange(count) * period).astype(int)
    best = strength[np.clip(at, 0, len(strength) - 1)].sum(axis=1).argmax()
    return np.asarray(phases[best] + np.arange(count) * period)


def fit_line(strength: Array, beats: Array, period: float) -> Line:
    """The straight line through the onsets nearest to a sequence of beats.

    Least squares weighted by onset strength, with less weight for what lies off, until it settles.

    Args:
        strength: onset strength, shape `(frames,)`.
        beats: in frames, rising, at least two.
        period: about the distance of beats, in frames.
    """
    index = np.round((beats - beats[0]) / period)
    line = _line(index, beats, np.ones(len(index)))
    off = np.zeros(0)
    for _ in range(_PASSES):
        instants = Line(*line, 0).instants(len(strength))
        at, height = nearest_onsets(strength, instants, min(0.12 * line[1], 7.0))
        heard = height > 0
        if heard.sum() < 3:
            break
        index = np.round((instants - line[0]) / line[1])[heard]
        line = _robust_line(index, at[heard], height[heard])
        off = at[heard] - line[0] - index * line[1]
    return Line(*line, residual=float(np.median(np.abs(off))) if len(off) else np.inf)


def with_exact_period(line: Line, groups: Array) -> Line:
    """The line turned to the slope on which all bands agree.

    Sounds of different bands show at slightly different delays, so a song whose instruments change
    bends the line through all of them. Here every band has a delay of its own and all share the
    period; the middle of the line stays where it is.

    Args:
        line: near to it.
        groups: onset strength by band, shape `(bands, frames)`.
    """
    instants = line.instants(groups.shape[1])
    index = np.arange(len(instants)) - (len(instants) - 1) / 2
    found = [nearest_onsets(row, instants, min(0.1 * line.period, 5.0)) for row in groups]
    off = np.array([at - instants for at, _ in found])
    height = np.array([height / max(float(height.mean()), 1e-12) for _, height in found])
    weight = height
    slope = 0.0
    for _ in range(5):
        total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
        away = index - (weight @ index)[:, None] / total
        centred = off - (weight * off).sum(axis=1, keepdims=True) / total
        slope = float((weight * away * centred).sum() / max((weight * away**2).sum(), 1e-12))
        rest = np.abs(centred - slope * away)
        scale = max(1.5 * float(np.median(rest[height > 0])) if (height > 0).any() else 0, 0.3)
        weight = height / (1 + np.square(rest / scale))
    middle = float(instants.mean())
    period = line.period + slope
    return replace(line, start=middle - period * ((len(instants) - 1) / 2), period=period)


def nearest_onsets(strength: Array, at: Array, reach: float) -> tuple[Array, Array]:
    """The strongest local peak within `reach` frames of each instant.

    Returns:
        Its position, by a parabola through the peak, and its height; 0 where there is none.
    """
    width = int(np.ceil(reach))
    padded = np.pad(strength, width + 2)
    centre = np.round(at).astype(int)
    offsets = np.arange(-width, width + 1)
    index = np.clip(centre[:, None] + offsets + width + 2, 1, len(padded) - 2)
    here, left, right = padded[index], padded[index - 1], padded[index + 1]
    near = np.abs(centre[:, None] + offsets - at[:, None]) <= reach
    height = np.where((here > left) & (here >= right) & near, here, 0.0)
    best = height.argmax(axis=1)
    rows = np.arange(len(at))
    bend = (left - 2 * here + right)[rows, best]
    lean = 0.5 * (left - right)[rows, best]
    shift = np.where(bend < 0, lean / np.minimum(bend, -1e-12), 0.0)
    return np.asarray(centre + offsets[best] + shift), np.asarray(height[rows, best])


def _line(index: Array, at: Array, weight: Array) -> tuple[float, float]:
    """Start and period by weighted least squares."""
    total = weight.sum()
    mean_index, mean_at = (weight @ index) / total, (weight @ at) / total
    away = index - mean_index
    period = float((weight * away) @ (at - mean_at) / max(float(weight @ away**2), 1e-12))
    return float(mean_at - period * mean_index), period


def _robust_line(index: Array, at: Array, height: Array) -> tuple[float, float]:
    weight = height / height.max()
    start, period = _line(index, at, weight)
    for _ in range(3):
        off = np.abs(at - start - index * period)
        scale = max(1.5 * float(np.median(off)), 0.3)
        start, period = _line(index, at, weight / (1 + np.square(off / scale)))
    return start, period
