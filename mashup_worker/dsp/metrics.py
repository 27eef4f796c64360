"""How close an estimate comes to the truth, in decibels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def si_sdr_db(estimate: Tensor, reference: Tensor) -> float:
    """Scale-invariant signal-to-distortion ratio, over all channels together.

    Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019: the estimate's part along the
    reference against the rest of it. Means are not removed.

    Shape: both the same.

    Returns:
        Decibels; `-inf` where the estimate holds nothing of the reference, as a silent one does;
        NaN where the reference is silent: then there is nothing to come close to.

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
    """Signal-to-noise ratio: the reference against the difference, scale included.

    Shape: both the same.

    Returns:
        Decibels; `inf` where both are equal, silence included, `-inf` where only the reference is
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
