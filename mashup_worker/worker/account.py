"""What is told of an attempt once it has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mashup_worker.db.tiers import NO_TIER
from mashup_worker.models.shortages import shortages
from mashup_worker.monitoring.reports import AttemptReport
from mashup_worker.worker.lease import HandBackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.db.jobs import Job
    from mashup_worker.monitoring.reports import Outcome

_DEVICE = "device"
"""Among the timings of a job's output; the others are stages."""


@dataclass
class Account:
    """Keeps what an attempt's end alone does not tell.

    Attributes:
        job_type: of the job.
        tier: of its user.
    """

    job_type: str
    tier: str = NO_TIER
    _started_s: float = field(default_factory=time.monotonic)
    _shortages: int = field(default_factory=shortages)

    @property
    def seconds(self) -> float:
        """Since the attempt began."""
        return time.monotonic() - self._started_s

    def report(self, done: Job | None, error: Exception | None) -> AttemptReport:
        """How the attempt ended.

        Args:
            done: the job afterwards; None where it was no longer ours.
            error: what went wrong, if anything did.
        """
        outcome = _outcome(done, error)
        output = (done.output_data if done and outcome == "completed" else None) or {}
        timings_s: Mapping[str, float] = output.get("timings_s", {})
        return AttemptReport(
            job_type=self.job_type,
            tier=self.tier,
            outcome=outcome,
            code=(done.error_code if done and outcome in ("failed", "retried") else None) or "",
            seconds=self.seconds,
            stages_s={name: s for name, s in timings_s.items() if name != _DEVICE},
            device_s=timings_s.get(_DEVICE, 0.0),
            sound_s=_sound_s(output),
            reused=output.get("reused_job_id") is not None,
            halvings=shortages() - self._shortages,
        )


def _outcome(done: Job | None, error: Exception | None) -> Outcome:
    if done is None:
        return "lost"
    if done.status == "queued":
        return "handed_back" if isinstance(error, HandBackError) else "retried"
    outcomes: dict[str, Outcome] = {"completed": "completed", "canceled": "canceled"}
    return outcomes.get(done.status, "failed")


def _sound_s(output: Mapping[str, Any]) -> float:
    """Seconds of the sound that an output is about."""
    parts = [*output.get("stems", ()), output.get("audio"), output.get("analysis")]
    return next((part["duration_s"] for part in parts if part and "duration_s" in part), 0.0)
