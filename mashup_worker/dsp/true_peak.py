"""True peak by ITU-R BS.1770-5, Annex 2: the peak of the signal between its samples."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from mashup_worker.dsp.kweighting import summing_dtype
from mashup_worker.dsp.pieces import pieces

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio

_TAPS = 32
"""Samples that an interpolated value depends on; the example of the recommendation has 12."""

_KAISER_BETA = 6.0
"""With 32 taps and 44.1 kHz: flat within 0.02 dB up to 19.5 kHz, -0.2 dB at 20 kHz."""

_BLOCK_SAMPLES = 16
"""Samples oversampled by one row of the matrix product; a divisor of the taps. More of them cost
more products per sample and are skipped less often."""

_ROUNDING = 1e-5
"""Share by which float32 sums may exceed their bound."""


class TruePeakMeter:
    """True-peak meter for a stream that is surrounded by silence.

    Audio is oversampled four times below 96 kHz, twice below 192 kHz, and not above.
    """

    def __init__(self, sample_rate: int) -> None:
        self._factor = _factor(sample_rate)
        self._held: Tensor | None = None
        self._peak: Tensor | None = None

    def add(self, samples: Tensor) -> None:
        """Add the next samples, shape `(channels, samples)`, full scale ±1, all finite."""
        for piece in pieces(samples.detach()):
            self._add_piece(piece.to(summing_dtype(piece.device)))

    def true_peak_dbtp(self) -> float | None:
        """Return the highest peak so far, in dB of full scale; None for silence."""
        if self._held is None or self._peak is None:
            return None
        silence = _TAPS + _BLOCK_SAMPLES - self._held.shape[1] % _BLOCK_SAMPLES
        peak = float(_highest(F.pad(self._held, (0, silence)), self._peak, self._factor))
        return 20 * math.log10(peak) if peak else None

    def _add_piece(self, piece: Tensor) -> None:
        if self._held is None or self._peak is None:
            self._held = piece.new_zeros(len(piece), _TAPS)
            self._peak = piece.new_zeros(())
        piece = torch.cat([self._held, piece], dim=1)
        whole = piece.shape[1] - piece.shape[1] % _BLOCK_SAMPLES
        self._peak = _highest(piece[:, :whole], self._peak, self._factor)
        self._held = piece[:, whole - _TAPS :].clone()


def true_peak_dbtp(audio: Audio) -> float | None:
    """True peak of sound in memory, as `TruePeakMeter` measures it."""
    meter = TruePeakMeter(audio.sample_rate)
    meter.add(audio.samples)
    return meter.true_peak_dbtp()


def peaks_near(samples: Tensor, sample_rate: int, above: float) -> Tensor:
    """Return the highest magnitude of any channel at and next to each sample, shape `(samples,)`.

    Values between samples are computed only where they could exceed `above`.
    """
    factor = _factor(sample_rate)
    length = samples.shape[1]
    peaks = samples.abs().amax(dim=0)
    if factor == 1 or not length:
        return peaks
    interpolator, bounds = _interpolator(factor, samples.device)
    whole = -(-length // _BLOCK_SAMPLES) * _BLOCK_SAMPLES + _BLOCK_SAMPLES
    padded = F.pad(samples, (_TAPS, whole - length + _TAPS)).to(interpolator.dtype)
    windows = padded.unfold(1, _TAPS + _BLOCK_SAMPLES, _BLOCK_SAMPLES)
    block_peaks = F.max_pool1d(padded.abs(), _BLOCK_SAMPLES)
    is_high = block_peaks.unfold(1, len(bounds), 1) @ bounds > above
    high = is_high.any(dim=0).nonzero()[:, 0]
    between = (windows[:, high] @ interpolator).abs().amax(0)
    between = between.unflatten(-1, (_BLOCK_SAMPLES, factor - 1)).amax(-1).to(peaks.dtype)
    after = peaks.new_zeros(windows.shape[1], _BLOCK_SAMPLES)
    after[high] = between
    # Row p of the first window lies after the sample p - taps / 2 - 1.
    after = after.flatten()[_TAPS // 2 :]
    return peaks.maximum(after[:length]).maximum(after[1 : length + 1])


def _factor(sample_rate: int) -> int:
    return 4 if sample_rate < 96_000 else 2 if sample_rate < 192_000 else 1


def _highest(rows: Tensor, peak: Tensor, factor: int) -> Tensor:
    """Return the greater of `peak` and the true peak of `rows`, shape `(rows, blocks * block)`."""
    block_peaks = F.max_pool1d(rows.abs(), _BLOCK_SAMPLES)
    peak = torch.maximum(peak, block_peaks.max())
    window_samples = _TAPS + _BLOCK_SAMPLES
    if factor == 1 or rows.shape[1] < window_samples:
        return peak
    interpolator, bounds = _interpolator(factor, rows.device)
    windows = rows.unfold(1, window_samples, _BLOCK_SAMPLES)
    if rows.device.type == "cpu":  # on a GPU this test takes longer than all the blocks
        windows = windows[block_peaks.unfold(1, len(bounds), 1) @ bounds > peak]
        if not len(windows):
            return peak
    between = windows @ interpolator
    return torch.stack([peak, between.max(), -between.min()]).max()


@lru_cache(maxsize=8)
def _interpolator(factor: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a Kaiser-windowed sinc, and bounds of the values that it interpolates.

    It is a matrix from a window of samples to the values between those in its middle. The window's
    block peaks, multiplied by the bounds and summed, are at least the highest of these values.
    """
    distances = np.arange(1, factor)[:, None] / factor + _TAPS // 2 - 1 - np.arange(_TAPS)
    window = np.i0(_KAISER_BETA * np.sqrt(1 - (2 * distances / _TAPS) ** 2)) / np.i0(_KAISER_BETA)
    taps = np.sinc(distances) * window
    matrix = np.zeros((_TAPS + _BLOCK_SAMPLES, _BLOCK_SAMPLES, factor - 1))
    for position in range(_BLOCK_SAMPLES):
        matrix[position : position + _TAPS, position] = taps.T
    weights = np.abs(matrix).reshape(-1, _BLOCK_SAMPLES, matrix[0].size).sum(axis=1).max(axis=1)
    dtype = summing_dtype(device)
    bounds = torch.from_numpy(weights * (1 + _ROUNDING)).to(device, dtype)
    return torch.from_numpy(matrix).flatten(1).to(device, dtype), bounds
