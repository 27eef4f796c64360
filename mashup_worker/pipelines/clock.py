"""How long the stages of a job take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mashup_worker.models.streams import wait_for

if TYPE_CHECKING:
    import torch


class Clock:
    """Seconds between laps, by stage.

    Attributes:
        laps_s: seconds spent in each stage so far.
    """

    def __init__(self) -> None:
        self.laps_s: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str, device: torch.device | None = None) -> None:
        """End a stage: it lasted since the lap before, or since the clock was made.

        Args:
            stage: name of the stage.
            device: where it computed; the clock waits until the device has finished the stage.
                Otherwise the next stage that reads a result would be charged with the wait.
        """
        if device is not None:
            wait_for(device)
        now = time.perf_counter()
        self.laps_s[stage] = now - self._last
        self._last = now
