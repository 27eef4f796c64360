"""Curves of automation: their values at samples, and few points that keep their shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.dsp.envelope import step_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from mashup_worker.mixing.render.tracks import ClipPlace

    Values = NDArray[np.float64]
    Samples = NDArray[np.int64]


def kept_points(
    at: Values, values: Values, tolerance: float, *, in_octaves: bool = False
) -> NDArray[np.intp]:
    """Return the indexes of points between which all others lie near straight lines.

    Source: D. Douglas and T. Peucker, "Algorithms for the reduction of the number of points
    required to represent a digitized line or its caricature", 1973; with vertical distances.

    Args:
        at: positions, rising, shape `(n,)`.
        values: values, same shape.
        tolerance: greatest distance of a value from the lines.
        in_octaves: whether the distance is the logarithm of the ratio.
    """
    if len(at) < 3:
        return np.arange(len(at))
    kept = np.zeros(len(at), dtype=bool)
    kept[[0, -1]] = True
    waiting = [(0, len(at) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        inside = slice(first + 1, last)
        line = np.interp(at[inside], at[[first, last]], values[[first, last]])
        ratio = np.log2(line / values[inside]) if in_octaves else values[inside] - line
        distances = np.abs(ratio)
        far = int(distances.argmax())
        if distances[far] > tolerance:
            middle = first + 1 + far
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    return np.flatnonzero(kept)


def step_centers(envelope: Tensor, sample_rate: int) -> Samples:
    """Return the middle samples of the steps of an envelope."""
    step = step_samples(sample_rate)
    return np.arange(len(envelope), dtype=np.int64) * step + step // 2


def fade_gains(at: Samples, place: ClipPlace) -> Values:
    """Return the gain of equal-power fades at samples of a clip."""
    gains = np.ones(len(at))
    for distance, size in (
        (at - place.start, place.fade_in),
        (place.stop - 1 - at, place.fade_out),
    ):
        if size:
            gains *= np.sin(np.clip((distance + 0.5) / size, 0, 1) * np.pi / 2)
    return gains
