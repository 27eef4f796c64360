"""The source of the voice: the pulses that the vocal folds make.

The pulse is Liljencrants and Fant's in the form with one parameter, Rd (G. Fant, "The LF-model
revisited. Transformations and frequency domain analysis", STL-QPSR 2-3/1995).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synth.core import Signal

HARMONICS = 160
"""The most harmonics that a pulse has."""

_SHAPES = np.linspace(0.5, 2.7, 23)


def pulse_spectrum(shape: Signal, count: int) -> NDArray[np.complex128]:
    """The first harmonics of pulses, each pulse of unit power.

    Args:
        shape: Rd of each frame; 0.5 is pressed and bright, 2.7 soft.
        count: harmonics wanted, at most `HARMONICS`.

    Returns:
        Complex amplitudes of shape `(frames, count)`.
    """
    position = (np.clip(shape, _SHAPES[0], _SHAPES[-1]) - _SHAPES[0]) / (_SHAPES[1] - _SHAPES[0])
    low = np.minimum(position.astype(int), len(_SHAPES) - 2)
    mix = (position - low)[:, None]
    table = _pulse_table()[:, :count]
    return np.asarray((1 - mix) * table[low] + mix * table[low + 1])


@lru_cache(maxsize=1)
def _pulse_table() -> NDArray[np.complex128]:
    """Harmonics for every shape of `_SHAPES`; shape `(shapes, HARMONICS)`."""
    spectra = np.array([np.fft.rfft(_pulse(shape))[1 : HARMONICS + 1] for shape in _SHAPES])
    return np.asarray(spectra / np.sqrt((np.abs(spectra) ** 2).sum(axis=1, keepdims=True)))


def _pulse(shape: float, size: int = 4096) -> Signal:
    """One period of the derivative of glottal flow for Fant's Rd."""
    return_share = (-1 + 4.8 * shape) / 100
    skew = (22.4 + 11.8 * shape) / 100
    speed = skew / (4 * (0.11 * shape / (0.5 + 1.2 * skew) - return_share))
    peak = 1 / (2 * speed)
    closing = peak * (1 + skew)
    rest = 1 - closing
    fall = brentq(lambda e: e * return_share - 1 + np.exp(-e * rest), 1e-3, 2 / return_share)
    time = np.arange(size) / size

    def period(growth: float) -> Signal:
        scale = -1 / (np.exp(growth * closing) * np.sin(np.pi * closing / peak))
        opened = scale * np.exp(growth * time) * np.sin(np.pi * time / peak)
        back = (np.exp(-fall * (time - closing)) - np.exp(-fall * rest)) / (fall * return_share)
        return np.asarray(np.where(time < closing, opened, -back))

    growth = brentq(lambda g: float(period(g).sum()), -20.0, 60.0)
    return period(growth)
