"""Metrics of one attempt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mashup_worker.db.tiers import NO_TIER
from mashup_worker.models.memory_events import out_of_memory_events
from mashup_worker.monitoring.reports import AttemptReport
from mashup_worker.worker.lease import JobReleased

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.db.jobs import Job
    from mashup_worker.monitoring.reports import Outcome

_DEVICE = "device"
"""Key of the device's seconds among the timings of a job's output; the other keys are stages."""


@dataclass
class AttemptMetrics:
    """Clock and out-of-memory count of a running attempt; `tier` is its user's."""

    job_type: str
    tier: str = NO_TIER
    _started_s: float = field(default_factory=time.monotonic)
    _out_of_memory: int = field(default_factory=out_of_memory_events)

    @property
    def seconds(self) -> float:
        """Seconds since the start of the attempt."""
        return time.monotonic() - self._started_s

    def report(self, job: Job | None, error: Exception | None) -> AttemptReport:
        """Return the report of the ended attempt.

        `job` is the job after it, or None if it no longer belonged to this worker.
        """
        outcome = _outcome(job, error)
        output = (job.output_data if job and outcome == "completed" else None) or {}
        timings_s: Mapping[str, float] = output.get("timings_s", {})
        return AttemptReport(
            job_type=self.job_type,
            tier=self.tier,
            outcome=outcome,
            code=(job.error_code if job and outcome in ("failed", "retried") else None) or "",
            seconds=self.seconds,
            stages_s={name: s for name, s in timings_s.items() if name != _DEVICE},
            device_s=timings_s.get(_DEVICE, 0.0),
            audio_s=_audio_s(output),
            reused=output.get("reused_job_id") is not None,
            halvings=out_of_memory_events() - self._out_of_memory,
        )


def _outcome(job: Job | None, error: Exception | None) -> Outcome:
    if job is None:
        return "lost"
    if job.status == "queued":
        return "released" if isinstance(error, JobReleased) else "retried"
    outcomes: dict[str, Outcome] = {"completed": "completed", "canceled": "canceled"}
    return outcomes.get(job.status, "failed")


def _audio_s(output: Mapping[str, Any]) -> float:
    """Return the duration of the audio that an output describes."""
    parts = [*output.get("stems", ()), output.get("audio"), output.get("analysis")]
    return next((part["duration_s"] for part in parts if part and "duration_s" in part), 0.0)
