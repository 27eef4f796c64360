"""Curves of automation with few points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]


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
