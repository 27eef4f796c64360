"""Stages of a job: how far they are, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mashup_worker.models.streams import wait_for

if TYPE_CHECKING:
    import torch


OnProgress = Callable[[str, float], None]
"""Called with a stage and the share of it that is done, from any thread.

An exception raised in it stops the work; cancellation, timeouts and lost leases are raised there.
"""


def ignore_progress(stage: str, share: float) -> None:
    """Do nothing, as the `OnProgress` of a caller that passes none."""


class Clock:
    """Clock that is read at the end of each stage; `laps_s` are the seconds of each."""

    def __init__(self) -> None:
        self.laps_s: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str, device: torch.device | None = None) -> None:
        """End a stage, which lasted since the previous lap or the creation of the clock.

        It waits until `device` has finished, because the wait would otherwise count for the next
        stage that reads a result.
        """
        if device is not None:
            wait_for(device)
        now = time.perf_counter()
        self.laps_s[stage] = now - self._last
        self._last = now
