"""Progress of a job in percent."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FETCH, UPLOAD = "fetch", "upload"
_FETCH_SHARE, _UPLOAD_SHARE = 0.04, 0.08
_MAX_UNFINISHED = 99


@dataclass
class StageTimes:
    """Nanoseconds since 1970 from the first report of a stage to the next report of another.

    The end of a stage moves if the stage is reported again.
    """

    start_ns: int
    end_ns: int


class Progress:
    """Percent of a job, which never decreases. Thread-safe.

    `stages` are those of the handler in order, with their shares of the time.
    """

    def __init__(self, stages: Mapping[str, float]) -> None:
        work = 1.0 - _FETCH_SHARE - _UPLOAD_SHARE
        total = sum(stages.values()) or 1.0
        shares = {
            FETCH: _FETCH_SHARE,
            **{stage: work * share / total for stage, share in stages.items()},
            UPLOAD: _UPLOAD_SHARE,
        }
        self._spans: dict[str, tuple[float, float]] = {}
        start = 0.0
        for stage, share in shares.items():
            self._spans[stage] = (start, share)
            start += share
        self._lock = threading.Lock()
        self._percent = 0
        self._stage: str | None = None
        self._times: dict[str, StageTimes] = {}

    def advance(self, stage: str, share: float) -> None:
        """Record that a share of a stage, 0 to 1, is done. An unknown stage keeps the percent."""
        with self._lock:
            self._enter(stage)
            start, span = self._spans.get(stage, (0.0, 0.0))
            percent = int(100 * (start + span * min(1.0, max(0.0, share))))
            self._percent = min(_MAX_UNFINISHED, max(self._percent, percent))

    def now(self) -> tuple[int, str | None]:
        """Return the percent and the stage."""
        with self._lock:
            return self._percent, self._stage

    def stage_times(self) -> dict[str, StageTimes]:
        """Return the times of all stages until now, in order of their starts."""
        with self._lock:
            if self._stage is not None:
                self._enter(self._stage)
            return dict(self._times)

    def _enter(self, stage: str) -> None:
        now_ns = time.time_ns()
        if self._stage is not None:
            self._times[self._stage].end_ns = now_ns
        self._times.setdefault(stage, StageTimes(now_ns, now_ns))
        self._stage = stage
