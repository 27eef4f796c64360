"""How far a job is, in whole percent that never go backwards."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FETCH, UPLOAD = "fetch", "upload"
_FETCH_SHARE, _UPLOAD_SHARE = 0.04, 0.08
_HIGHEST_UNFINISHED = 99


class Progress:
    """Percent of a job from the shares of its stages. Any thread may advance it.

    Args:
        stages: the handler's stages in order, with the share of the time that each takes.
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

    def advance(self, stage: str, share: float) -> None:
        """A stage is done by `share`, 0 to 1. A stage without a span keeps the percent."""
        with self._lock:
            self._stage = stage
            start, span = self._spans.get(stage, (0.0, 0.0))
            percent = int(100 * (start + span * min(1.0, max(0.0, share))))
            self._percent = min(_HIGHEST_UNFINISHED, max(self._percent, percent))

    def now(self) -> tuple[int, str | None]:
        """The percent and the stage."""
        with self._lock:
            return self._percent, self._stage
