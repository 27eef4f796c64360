"""Integrated loudness by ITU-R BS.1770-4, measured while the sound streams by."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyloudnorm
from scipy.signal import sosfilt

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio

_STEPS_PER_BLOCK = 4
"""Gating blocks last 400 ms and start every 100 ms."""

_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_DB = -0.691
"""Makes a 997 Hz sine at full scale in one channel read -3.01 LUFS."""

_HIGH_SHELF = 3.99984385397, 0.7071752369554193, 1681.9744509555319
_HIGH_PASS = 0.0, 0.5003270373253953, 38.13547087613982
"""Gain in dB, Q and frequency in Hz with which De Man's designs, in pyloudnorm, reproduce at 48 kHz
the K-weighting coefficients that the recommendation prints, and carry them to other rates."""

_LOWEST_RATE_HZ = 2 * _HIGH_SHELF[2]
"""At this rate the shelf lies at half the rate; there and below, its design is not stable."""

_BLOCK_SAMPLES = 1 << 16


class LoudnessMeter:
    """Integrated loudness of a stream.

    Memory grows by some 30 bytes for each 100 ms. Sound of 3363 samples a second and fewer can't
    be K-weighted, and has no loudness.

    Args:
        rate_hz: samples a second.
        channels: 1 or 2; each weighs the same.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        if channels not in (1, 2):
            raise ValueError(f"{channels} channels; loudness is measured of 1 or 2")
        self._rate_hz = rate_hz
        self._has_weighting = rate_hz > _LOWEST_RATE_HZ
        if self._has_weighting:
            self._sections = _k_weighting(rate_hz)
            self._state = np.zeros((len(self._sections), channels, 2))
        self._taken = 0
        self._step_energies: list[float] = []
        self._open_energy = 0.0

    def add(self, samples: Tensor) -> None:
        """Take the next samples, shape `(channels, samples)`, full scale ±1."""
        if not self._has_weighting:
            return
        for start in range(0, samples.shape[1], _BLOCK_SAMPLES):
            piece = samples[:, start : start + _BLOCK_SAMPLES].detach().cpu().double().numpy()
            weighted, self._state = sosfilt(self._sections, piece, axis=1, zi=self._state)
            self._add_energies(np.square(weighted).sum(axis=0))

    def integrated_lufs(self) -> float | None:
        """Loudness so far, in LUFS.

        None for less than 400 ms, for silence (-70 and below), and at rates too low for it.
        """
        steps = np.array(self._step_energies)
        if len(steps) < _STEPS_PER_BLOCK:
            return None
        sums = np.lib.stride_tricks.sliding_window_view(steps, _STEPS_PER_BLOCK).sum(axis=1)
        powers = sums / (_STEPS_PER_BLOCK * self._rate_hz / 10)
        powers = powers[powers > _power(_ABSOLUTE_GATE_LUFS)]
        if not len(powers):
            return None
        relative_gate = powers.mean() * 10 ** (_RELATIVE_GATE_LU / 10)
        return _OFFSET_DB + 10 * math.log10(powers[powers > relative_gate].mean())

    def _add_energies(self, squares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        end = self._taken + len(squares)
        first_step = self._taken * 10 // self._rate_hz + 1
        # Step k ends at k tenths of a second, rounded up to whole samples.
        step_ends = [
            -(-step * self._rate_hz // 10)
            for step in range(first_step, end * 10 // self._rate_hz + 1)
        ]
        for start, stop in pairwise([self._taken, *step_ends]):
            self._open_energy += float(squares[start - self._taken : stop - self._taken].sum())
            self._step_energies.append(self._open_energy)
            self._open_energy = 0.0
        rest = step_ends[-1] if step_ends else self._taken
        self._open_energy += float(squares[rest - self._taken :].sum())
        self._taken = end


def integrated_lufs(audio: Audio) -> float | None:
    """Integrated loudness of sound in memory, as `LoudnessMeter` measures it."""
    meter = LoudnessMeter(audio.rate_hz, audio.channels)
    meter.add(audio.samples)
    return meter.integrated_lufs()


def _k_weighting(rate_hz: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The filter's second-order sections, shape `(2, 6)`."""
    shelf = pyloudnorm.IIRfilter(*_HIGH_SHELF, rate_hz, "high_shelf_DeMan")
    high_pass = pyloudnorm.IIRfilter(*_HIGH_PASS, rate_hz, "high_pass_DeMan")
    return np.array([np.concatenate([design.b, design.a]) for design in (shelf, high_pass)])


def _power(loudness_lufs: float) -> float:
    return float(10 ** ((loudness_lufs - _OFFSET_DB) / 10))
