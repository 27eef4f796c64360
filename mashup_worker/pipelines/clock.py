"""How long the stages of a job take."""

from __future__ import annotations

import time


class Clock:
    """Seconds between laps, by stage.

    Attributes:
        laps_s: seconds spent in each stage so far.
    """

    def __init__(self) -> None:
        self.laps_s: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage: it lasted since the lap before, or since the clock was made."""
        now = time.perf_counter()
        self.laps_s[stage] = now - self._last
        self._last = now
