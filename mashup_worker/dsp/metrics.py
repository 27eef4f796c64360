"""Similarity of an estimate and a reference, in decibels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def si_sdr_db(estimate: Tensor, reference: Tensor) -> float:
    """Return the scale-invariant signal-to-distortion ratio over all channels, in dB.

    Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019. Means are not removed. It is
    `-inf` for an estimate without any part of the reference, NaN for a silent reference.

    Raises:
        ValueError: the shapes differ.
    """
    estimate, reference = _comparable(estimate, reference)
    power = float(reference.square().sum())
    if power == 0:
        return math.nan
    scale = float((estimate * reference).sum()) / power
    if scale == 0:
        return -math.inf
    return snr_db(estimate, scale * reference)


def snr_db(estimate: Tensor, reference: Tensor) -> float:
    """Return the ratio of the reference to the difference in dB, scale included.

    It is `inf` where both are equal, including silence, and `-inf` where only the reference is
    silent.

    Raises:
        ValueError: the shapes differ.
    """
    estimate, reference = _comparable(estimate, reference)
    signal = float(reference.square().sum())
    noise = float((estimate - reference).square().sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _comparable(estimate: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    if estimate.shape != reference.shape:
        shapes = f"{tuple(estimate.shape)} and {tuple(reference.shape)}"
        raise ValueError(f"estimate and reference differ in shape: {shapes}")
    return estimate.double(), reference.double()
