"""Random choices for songs: among things, by weight, by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Choice = TypeVar("Choice")


class Dice:
    """A generator of random numbers that chooses among things."""

    def __init__(self, *seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of the choices, each as likely as another."""
        return choices[int(self.rng.integers(len(choices)))]

    def weighted(self, choices: Sequence[Choice], weights: Sequence[float]) -> Choice:
        """One of the choices, as likely as its weight says; weights need not add up to 1."""
        share = np.asarray(weights) / np.sum(weights)
        return choices[int(self.rng.choice(len(choices), p=share))]

    def chance(self, share: float) -> bool:
        """True in `share` of all throws."""
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        """A real number, each as likely as another."""
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))
