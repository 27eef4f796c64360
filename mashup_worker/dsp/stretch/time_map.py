"""Map from the time of a sound to the time of its stretched copy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True)
class TimeMap:
    """Piecewise linear map from samples of a sound to those of its stretched copy.

    Both sides rise strictly, from 0 to the length of sound and copy.

    Raises:
        ValueError: anchors do not rise or do not begin at 0.
    """

    source: tuple[int, ...]
    target: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.source) != len(self.target) or len(self.source) < 2:
            raise ValueError("a time map needs two anchors or more on both sides")
        for side in (self.source, self.target):
            if side[0] != 0 or any(b <= a for a, b in pairwise(side)):
                raise ValueError("the anchors of a time map must rise from 0")

    @classmethod
    def constant(cls, length_samples: int, ratio: float) -> TimeMap:
        """Return an even stretch: a copy `ratio` times as long, at least 1 sample."""
        return cls((0, length_samples), (0, max(1, round(length_samples * ratio))))

    @property
    def source_samples(self) -> int:
        """Length of the sound."""
        return self.source[-1]

    @property
    def target_samples(self) -> int:
        """Length of the stretched copy."""
        return self.target[-1]

    @property
    def ratio(self) -> float:
        """Length of the copy divided by that of the sound."""
        return self.target_samples / self.source_samples

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Lengths of each piece, in the sound and in the copy."""
        anchors = zip(self.source, self.source[1:], self.target, self.target[1:], strict=False)
        return tuple((b - a, d - c) for a, b, c, d in anchors)

    @property
    def is_identity(self) -> bool:
        """Whether the map leaves every sample in place."""
        return self.source == self.target

    def target_at(self, source: Tensor) -> Tensor:
        """Map samples of the sound to the copy; float64, same shape, linear beyond the ends."""
        return _interpolate(source, self.source, self.target)

    def source_at(self, target: Tensor) -> Tensor:
        """Map samples of the copy to the sound; float64, same shape, linear beyond the ends."""
        return _interpolate(target, self.target, self.source)


def _interpolate(at: Tensor, knots: Sequence[int], values: Sequence[int]) -> Tensor:
    at = at.to(torch.float64)
    x = torch.tensor(knots, dtype=torch.float64, device=at.device)
    y = torch.tensor(values, dtype=torch.float64, device=at.device)
    piece = (torch.searchsorted(x, at, right=True) - 1).clamp(0, len(knots) - 2)
    slope = (y[1:] - y[:-1]) / (x[1:] - x[:-1])
    return y[piece] + (at - x[piece]) * slope[piece]
