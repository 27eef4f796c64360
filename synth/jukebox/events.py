"""Single notes and drum strokes, and the hands that play them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LATEST_S = 0.010


@dataclass(frozen=True)
class Note:
    """A pitched note.

    Attributes:
        start_s: when it begins.
        duration_s: until it is let go.
        pitch: MIDI number, A4 is 69.
        velocity: 0 to 1.
    """

    start_s: float
    duration_s: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Hit:
    """A stroke on a drum.

    Attributes:
        time_s: when it sounds.
        piece: which drum.
        velocity: 0 to 1.
    """

    time_s: float
    piece: str
    velocity: float


class Hand:
    """A player's timing and touch: a little early or late, never more than 10 ms."""

    def __init__(self, rng: np.random.Generator, looseness_s: float) -> None:
        self._rng = rng
        self._spread_s = looseness_s
        self._lean_s = float(rng.normal(0, looseness_s / 2))

    def offset_s(self) -> float:
        """How late the next note comes."""
        drawn = self._rng.normal(self._lean_s, self._spread_s)
        return float(np.clip(drawn, -_LATEST_S, _LATEST_S))

    def touch(self, velocity: float) -> float:
        """A velocity near `velocity`."""
        return float(np.clip(velocity * (1 + self._rng.normal(0, 0.07)), 0.05, 1.0))
