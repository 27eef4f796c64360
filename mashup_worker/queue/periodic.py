"""Tasks that run at intervals."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PeriodicTask:
    """Task that runs at an interval.

    Attributes:
        name: name in log lines.
        every_s: interval in seconds.
        run: the task; an exception is logged, and the task runs again after the interval.
    """

    name: str
    every_s: float
    run: Callable[[], None]


class PeriodicSchedule:
    """Schedule of tasks; each runs for the first time one interval after the first call."""

    def __init__(self, tasks: Sequence[PeriodicTask] = ()) -> None:
        self._tasks = tuple(tasks)
        self._due_s: dict[str, float] = {}

    def run_due(self) -> float:
        """Run the tasks that are due; return the seconds until the next one."""
        now_s = time.monotonic()
        for task in self._tasks:
            if now_s < self._due_s.setdefault(task.name, now_s + task.every_s):
                continue
            self._due_s[task.name] = now_s + task.every_s
            try:
                task.run()
            except Exception:
                logger.exception("periodic task: %s", task.name)
        return max(0.0, min(self._due_s.values(), default=float("inf")) - time.monotonic())
