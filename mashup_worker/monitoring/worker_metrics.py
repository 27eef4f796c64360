"""Metrics that a supervisor counts for its worker processes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from mashup_worker.monitoring.reports import AttemptReport, HealthReport, decode_report
from mashup_worker.monitoring.server import process_registry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

ALIVE_WITHIN_S = 10.0
"""Longest time between two rounds of the supervisor's loop."""

SILENT_AFTER_S = 60.0
"""Time without a report after which a process counts as not ready."""

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1_280)
_SPEEDS = (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024)


@dataclass
class _ProcessState:
    is_ready: bool = False
    reported_s: float = 0.0
    unreachable: tuple[str, ...] = ()


@dataclass
class WorkerMetrics:
    """Metrics and health of a configured number of worker processes. Implements `HealthSource`.

    Called from several threads; processes are numbered from 0.
    """

    processes: int
    registry: CollectorRegistry = field(default_factory=process_registry)

    def __post_init__(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        self._looped_s = time.monotonic()
        self._states = [_ProcessState() for _ in range(self.processes)]
        self._lock = threading.Lock()
        self._attempts = AttemptCounters(self.registry)
        configured = gauge("mashup_worker_processes", "Configured worker processes.")
        configured.set(self.processes)
        ready = gauge("mashup_worker_processes_ready", "Worker processes that accept jobs.")
        ready.set_function(lambda: self.processes - len(self._problems()))
        self._starts = counter(
            "mashup_worker_process_starts", "Starts of a worker process.", ["process"]
        )
        self._exits = counter(
            "mashup_worker_process_exits",
            "Unexpected exits of a worker process, by a signal or with an exit code.",
            ["process", "how"],
        )
        self._memory = gauge(
            "mashup_worker_process_memory_bytes",
            "Resident memory of a worker process.",
            ["process"],
        )
        self._device_memory = gauge(
            "mashup_worker_process_device_memory_bytes",
            "CUDA memory: allocated and reserved by a process, free and total of its device.",
            ["process", "kind"],
        )
        for process in range(self.processes):
            self._starts.labels(process)
            for how in ("signal", "exit"):
                self._exits.labels(process, how)

    def looped(self) -> None:
        """Record a round of the supervisor's loop."""
        self._looped_s = time.monotonic()

    def started(self, process: int) -> None:
        """Count the start of a process."""
        self._starts.labels(process).inc()
        self._reset(process)

    def ready(self, process: int) -> None:
        """Record that a process accepts jobs."""
        with self._lock:
            self._states[process].is_ready = True
            self._states[process].reported_s = time.monotonic()

    def output(self, process: int, line: str) -> None:
        """Record the report in a line of output; ignore any other line."""
        report = decode_report(line)
        if isinstance(report, AttemptReport):
            self._attempts.count(report)
        elif isinstance(report, HealthReport):
            self._memory.labels(process).set(report.memory_bytes)
            for kind, number in report.device_bytes.items():
                self._device_memory.labels(process, kind).set(number)
            with self._lock:
                self._states[process].reported_s = time.monotonic()
                self._states[process].unreachable = tuple(report.unreachable)

    def exited(self, process: int, code: int) -> None:
        """Count an unexpected exit."""
        self._exits.labels(process, "signal" if code < 0 else "exit").inc()
        self._memory.labels(process).set(0)
        self._reset(process)

    def not_alive(self) -> str | None:
        """Return the reason to restart the supervisor; None if it is alive."""
        stalled_s = time.monotonic() - self._looped_s
        return f"stalled for {stalled_s:.0f} s" if stalled_s > ALIVE_WITHIN_S else None

    def not_ready(self) -> str | None:
        """Return the processes that do not accept jobs, with reasons; None if all do."""
        return "; ".join(self._problems()) or None

    def _reset(self, process: int) -> None:
        with self._lock:
            self._states[process] = _ProcessState(reported_s=time.monotonic())

    def _problems(self) -> list[str]:
        with self._lock:
            found = {number: _problem(state) for number, state in enumerate(self._states)}
        return [f"process {number} {problem}" for number, problem in found.items() if problem]


def _problem(state: _ProcessState) -> str | None:
    if not state.is_ready:
        return "is starting"
    if state.unreachable:
        return f"waits for {' and '.join(state.unreachable)}"
    silent_s = time.monotonic() - state.reported_s
    return f"is silent for {silent_s:.0f} s" if silent_s > SILENT_AFTER_S else None


class AttemptCounters:
    """Counters of attempts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        seconds = partial(Histogram, buckets=_SECONDS, registry=registry)
        self._attempts = counter(
            "mashup_attempts",
            "Ended attempts; a lost one no longer belonged to its worker.",
            ["job_type", "tier", "outcome"],
        )
        self._errors = counter(
            "mashup_attempt_errors",
            "Attempts that ended with an error, by its code.",
            ["job_type", "code", "outcome"],
        )
        self._seconds = seconds(
            "mashup_attempt_seconds",
            "Duration of attempts from the claim to the end.",
            ["job_type", "outcome"],
        )
        self._stages = seconds(
            "mashup_stage_seconds",
            "Duration of the stages of completed attempts.",
            ["job_type", "stage"],
        )
        self._times_real_time = Histogram(
            "mashup_times_real_time",
            "Seconds of audio per second of a completed attempt, without reused results.",
            ["job_type"],
            buckets=_SPEEDS,
            registry=registry,
        )
        self._audio = counter(
            "mashup_audio_seconds", "Seconds of audio of completed attempts.", ["job_type"]
        )
        self._device = counter(
            "mashup_device_seconds",
            "Seconds that completed attempts occupied the device.",
            ["job_type", "tier"],
        )
        self._reused = counter(
            "mashup_reused_results",
            "Attempts that were completed with an earlier job's results.",
            ["job_type"],
        )
        self._out_of_memory = counter(
            "mashup_out_of_memory",
            "Out-of-memory events: of a batch, which is then halved, or of an attempt.",
            ["scope"],
        )
        for scope in ("batch", "attempt"):
            self._out_of_memory.labels(scope)

    def count(self, report: AttemptReport) -> None:
        """Count an attempt."""
        job_type, outcome = report.job_type, report.outcome
        self._attempts.labels(job_type, report.tier, outcome).inc()
        self._seconds.labels(job_type, outcome).observe(report.seconds)
        self._out_of_memory.labels("batch").inc(report.halvings)
        if report.code:
            self._errors.labels(job_type, report.code, outcome).inc()
            self._out_of_memory.labels("attempt").inc(report.code == "out_of_memory")
        if outcome == "completed":
            self._count_result(report)

    def _count_result(self, report: AttemptReport) -> None:
        job_type = report.job_type
        self._audio.labels(job_type).inc(report.audio_s)
        self._device.labels(job_type, report.tier).inc(report.device_s)
        for stage, seconds in report.stages_s.items():
            self._stages.labels(job_type, stage).observe(seconds)
        if report.reused:
            self._reused.labels(job_type).inc()
        elif report.audio_s and report.seconds:
            self._times_real_time.labels(job_type).observe(report.audio_s / report.seconds)
