"""What a supervisor counts of its lanes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from mashup_worker.monitoring.process import process_registry
from mashup_worker.monitoring.reports import AttemptReport, VitalsReport, report_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

ALIVE_WITHIN_S = 10.0
"""How long ago the supervisor's loop may have turned."""

SILENT_AFTER_S = 60.0
"""A lane that told nothing for this long is not ready, whatever else it does."""

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1_280)
_TIMES = (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024)


@dataclass
class _LaneState:
    is_ready: bool = False
    told_s: float = 0.0
    away: tuple[str, ...] = ()


@dataclass
class WorkerMetrics:
    """Counts what lanes tell, and says how they do.

    Attributes:
        lanes: how many there are to be.
        registry: the metrics.
    """

    lanes: int
    registry: CollectorRegistry = field(default_factory=process_registry)

    def __post_init__(self) -> None:
        registry = self.registry
        self._turned_s = time.monotonic()
        self._states = [_LaneState() for _ in range(self.lanes)]
        self._lock = threading.Lock()
        self._jobs = _JobMetrics(registry)
        self._ready = Gauge("mashup_lanes_ready", "Lanes that can take a job.", registry=registry)
        self._ready.set_function(lambda: self.lanes - len(self._problems()))
        wanted = Gauge("mashup_lanes", "Lanes that there are to be.", registry=registry)
        wanted.set(self.lanes)
        self._starts = Counter(
            "mashup_lane_starts", "Processes started as a lane.", ["lane"], registry=registry
        )
        self._ends = Counter(
            "mashup_lane_ends",
            "Lanes that ended by themselves: by a signal, or with an exit code.",
            ["lane", "how"],
            registry=registry,
        )
        self._memory = Gauge(
            "mashup_lane_memory_bytes",
            "Resident memory of a lane.",
            ["lane"],
            registry=registry,
        )
        self._device_memory = Gauge(
            "mashup_lane_device_memory_bytes",
            "Memory of a lane's CUDA device: allocated and reserved by the lane, free and total.",
            ["lane", "kind"],
            registry=registry,
        )
        for lane in range(self.lanes):
            self._starts.labels(lane)
            for how in ("signal", "exit"):
                self._ends.labels(lane, how)

    def turned(self) -> None:
        """The supervisor's loop went round."""
        self._turned_s = time.monotonic()

    def started(self, lane: int) -> None:
        """A lane's process was started."""
        self._starts.labels(lane).inc()
        with self._lock:
            self._states[lane] = _LaneState(told_s=time.monotonic())

    def listens(self, lane: int) -> None:
        """A lane said that it is ready."""
        with self._lock:
            self._states[lane].is_ready = True
            self._states[lane].told_s = time.monotonic()

    def said(self, lane: int, line: str) -> None:
        """A lane said something else."""
        report = report_of(line)
        if isinstance(report, AttemptReport):
            self._jobs.observe(report)
        elif isinstance(report, VitalsReport):
            self._memory.labels(lane).set(report.memory_bytes)
            for kind, number in report.device_bytes.items():
                self._device_memory.labels(lane, kind).set(number)
            with self._lock:
                self._states[lane].told_s = time.monotonic()
                self._states[lane].away = tuple(report.away)

    def ended(self, lane: int, code: int) -> None:
        """A lane ended, and nobody had asked it to."""
        self._ends.labels(lane, "signal" if code < 0 else "exit").inc()
        self._memory.labels(lane).set(0)
        with self._lock:
            self._states[lane] = _LaneState(told_s=time.monotonic())

    def not_alive(self) -> str | None:
        """Why the supervisor should be started anew."""
        still_s = time.monotonic() - self._turned_s
        return f"it stands still for {still_s:.0f} s" if still_s > ALIVE_WITHIN_S else None

    def not_ready(self) -> str | None:
        """Why not every lane can take a job."""
        problems = self._problems()
        return "; ".join(problems) or None

    def _problems(self) -> list[str]:
        with self._lock:
            found = {n: _problem(state) for n, state in enumerate(self._states)}
        return [f"lane {lane} {problem}" for lane, problem in found.items() if problem]


def _problem(state: _LaneState) -> str | None:
    if not state.is_ready:
        return "is starting"
    if state.away:
        return f"waits for {' and '.join(state.away)}"
    silent_s = time.monotonic() - state.told_s
    return f"is silent for {silent_s:.0f} s" if silent_s > SILENT_AFTER_S else None


class _JobMetrics:
    """What is counted of attempts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "mashup_attempts",
            "Attempts that ended; lost ones were no longer this worker's.",
            ["job_type", "tier", "outcome"],
            registry=registry,
        )
        self._errors = Counter(
            "mashup_attempt_errors",
            "Attempts that ended with an error, by its code; retried where the job goes on.",
            ["job_type", "code", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "mashup_attempt_seconds",
            "From the claim to the end.",
            ["job_type", "outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "mashup_stage_seconds",
            "Stages of completed attempts.",
            ["job_type", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._times_real_time = Histogram(
            "mashup_times_real_time",
            "Seconds of sound for each second of completed attempts; reused results are left out.",
            ["job_type"],
            buckets=_TIMES,
            registry=registry,
        )
        self._sound = Counter(
            "mashup_sound_seconds",
            "Seconds of sound of completed attempts.",
            ["job_type"],
            registry=registry,
        )
        self._device = Counter(
            "mashup_device_seconds",
            "Seconds that completed attempts had the device.",
            ["job_type", "tier"],
            registry=registry,
        )
        self._reused = Counter(
            "mashup_reused_results",
            "Attempts completed with an earlier job's result.",
            ["job_type"],
            registry=registry,
        )
        self._out_of_memory = Counter(
            "mashup_out_of_memory",
            "Times that memory did not suffice: for a batch, which is halved, or for an attempt.",
            ["scope"],
            registry=registry,
        )
        for scope in ("batch", "attempt"):
            self._out_of_memory.labels(scope)

    def observe(self, report: AttemptReport) -> None:
        """Count one attempt."""
        kind, outcome = report.job_type, report.outcome
        self._attempts.labels(kind, report.tier, outcome).inc()
        self._seconds.labels(kind, outcome).observe(report.seconds)
        self._out_of_memory.labels("batch").inc(report.halvings)
        if report.code:
            self._errors.labels(kind, report.code, outcome).inc()
            self._out_of_memory.labels("attempt").inc(report.code == "out_of_memory")
        if outcome == "completed":
            self._observe_result(report)

    def _observe_result(self, report: AttemptReport) -> None:
        kind = report.job_type
        self._sound.labels(kind).inc(report.sound_s)
        self._device.labels(kind, report.tier).inc(report.device_s)
        _observe_each(self._stages, kind, report.stages_s)
        if report.reused:
            self._reused.labels(kind).inc()
        elif report.sound_s and report.seconds:
            self._times_real_time.labels(kind).observe(report.sound_s / report.seconds)


def _observe_each(histogram: Histogram, kind: str, seconds: Mapping[str, float]) -> None:
    for stage, value in seconds.items():
        histogram.labels(kind, stage).observe(value)
