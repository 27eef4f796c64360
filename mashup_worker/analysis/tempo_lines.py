"""Constant tempo as a straight line through onsets, exact to a few thousandths of a BPM."""

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
class TempoLine:
    """Pulse with a constant period: instant `i` lies at `start + i * period`, in frames.

    Attributes:
        start: position of instant 0.
        period: distance between instants.
        residual: median distance of the onsets from the line.
    """

    start: float
    period: float
    residual: float

    def instants(self, frames: int) -> Array:
        """Return all instants in a song of this many frames."""
        first = np.ceil(-self.start / self.period)
        last = np.floor((frames - 1 - self.start) / self.period)
        return np.asarray(self.start + np.arange(first, last + 1) * self.period)


def coherent_period(groups: Tensor, period: float, *, spread: float = 0.02) -> tuple[float, float]:
    """Find the period near `period` for which the whole song is most in phase.

    Args:
        groups: onset strength by band, shape `(bands, frames)`.
        period: approximate period in frames.
        spread: largest deviation to search, as a share of the period.

    Returns:
        The period in frames, and the coherence: 1 if the whole song keeps one phase, towards 0 if
        the phase drifts.
    """
    centered = groups - groups.mean(dim=-1, keepdim=True)
    # The width of a peak is the inverse of the length; the highest harmonic gets four steps each.
    steps = max(3, int(np.ceil(4 * _HARMONICS * spread * groups.shape[-1] / period)))
    cycles = torch.linspace(1 - spread, 1 + spread, 2 * steps + 1, dtype=torch.float64) / period
    harmonics = [_magnitudes(centered, k * cycles).sum(dim=0) for k in range(1, _HARMONICS + 1)]
    strength = torch.stack(harmonics).sum(dim=0)
    best = int(strength.argmax())
    shift = 0.0
    if 0 < best < len(strength) - 1:
        left, peak, right = (float(one) for one in strength[best - 1 : best + 2])
        bend = left - 2 * peak + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    found = 1 / (float(cycles[best]) + shift * float(cycles[1] - cycles[0]))
    return found, _coherence(centered, found)


def _magnitudes(signals: Tensor, cycles_per_frame: Tensor) -> Tensor:
    """Return magnitudes of Fourier sums at given frequencies, shape `(bands, frequencies)`.

    The sum is computed in two steps, within blocks of the signal and then over the blocks, instead
    of with one sine for each frame and frequency.
    """
    frames = signals.shape[-1]
    block = max(1, round(frames**0.5))
    padded = torch.nn.functional.pad(signals, (0, -frames % block))
    blocks = padded.unflatten(-1, (-1, block)).to(torch.complex64)
    cycles = cycles_per_frame.to(signals.device)
    inner = _phasors(cycles[:, None] * torch.arange(block, device=signals.device))
    starts = torch.arange(blocks.shape[-2], device=signals.device) * block
    outer = _phasors(cycles[:, None] * starts)
    sums: Tensor = ((blocks @ inner.T) * outer.T).sum(dim=-2)
    return sums.abs()


def _phasors(cycles: Tensor) -> Tensor:
    angle = (-2 * torch.pi * torch.remainder(cycles, 1.0)).float()
    return torch.polar(torch.ones_like(angle), angle)


def _coherence(centered: Tensor, period: float) -> float:
    block = max(1, round(_PERIODS_IN_STEP * period))
    usable = centered.shape[-1] // block * block
    if usable < 2 * block:
        return 1.0
    cycles = torch.tensor([1.0, 2.0], dtype=torch.float64) / period
    whole = _magnitudes(centered[:, :usable], cycles).sum()
    blocks = centered[:, :usable].reshape(-1, block)
    return float(whole / _magnitudes(blocks, cycles).sum().clamp_min(1e-12))


def best_phase(strength: Array, period: float) -> Array:
    """Return instants with a constant period, in the phase with the strongest onsets.

    Returns:
        Frames, shape `(instants,)`.
    """
    count = max(1, int((len(strength) - 1) / period))
    phases = np.linspace(0, period, max(2, round(2 * period)), endpoint=False)
    at = np.round(phases[:, None] + np.arange(count) * period).astype(int)
    best = strength[np.clip(at, 0, len(strength) - 1)].sum(axis=1).argmax()
    return np.asarray(phases[best] + np.arange(count) * period)


def fit_line(strength: Array, beats: Array, period: float) -> TempoLine:
    """Fit a line to the onsets nearest to a sequence of beats.

    Iterated least squares, weighted by onset strength and less for outliers.

    Args:
        strength: onset strength, shape `(frames,)`.
        beats: beats in frames, rising, at least two.
        period: approximate distance between beats in frames.
    """
    index = np.round((beats - beats[0]) / period)
    line = _line(index, beats, np.ones(len(index)))
    off = np.zeros(0)
    for _ in range(_PASSES):
        instants = TempoLine(*line, 0).instants(len(strength))
        at, height = nearest_onsets(strength, instants, min(0.12 * line[1], 7.0))
        found = height > 0
        if found.sum() < 3:
            break
        index = np.round((instants - line[0]) / line[1])[found]
        line = _robust_line(index, at[found], height[found])
        off = at[found] - line[0] - index * line[1]
    return TempoLine(*line, residual=float(np.median(np.abs(off))) if len(off) else np.inf)


def with_exact_period(line: TempoLine, groups: Array) -> TempoLine:
    """Refine the period of a line so that all bands agree with it.

    Onsets of different bands have different delays, so a change of instruments bends the line
    through all of them. This fit gives each band its own delay and all bands the same period. The
    middle of the line stays fixed.

    Args:
        line: approximate line.
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
        centered = off - (weight * off).sum(axis=1, keepdims=True) / total
        slope = float((weight * away * centered).sum() / max((weight * away**2).sum(), 1e-12))
        rest = np.abs(centered - slope * away)
        scale = max(1.5 * float(np.median(rest[height > 0])) if (height > 0).any() else 0, 0.3)
        weight = height / (1 + np.square(rest / scale))
    middle = float(instants.mean())
    period = line.period + slope
    return replace(line, start=middle - period * ((len(instants) - 1) / 2), period=period)


def nearest_onsets(strength: Array, at: Array, reach: float) -> tuple[Array, Array]:
    """Find the strongest local peak within `reach` frames of each instant.

    Returns:
        Position of the peak by parabolic interpolation, and its height; height 0 means no peak.
    """
    width = int(np.ceil(reach))
    padded = np.pad(strength, width + 2)
    center = np.round(at).astype(int)
    offsets = np.arange(-width, width + 1)
    index = np.clip(center[:, None] + offsets + width + 2, 1, len(padded) - 2)
    here, left, right = padded[index], padded[index - 1], padded[index + 1]
    near = np.abs(center[:, None] + offsets - at[:, None]) <= reach
    height = np.where((here > left) & (here >= right) & near, here, 0.0)
    best = height.argmax(axis=1)
    rows = np.arange(len(at))
    bend = (left - 2 * here + right)[rows, best]
    lean = 0.5 * (left - right)[rows, best]
    shift = np.where(bend < 0, lean / np.minimum(bend, -1e-12), 0.0)
    return np.asarray(center + offsets[best] + shift), np.asarray(height[rows, best])


def _line(index: Array, at: Array, weight: Array) -> tuple[float, float]:
    """Return start and period by weighted least squares."""
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
