"""Metrics of a mirror and of the queue."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from mashup_worker.monitoring.server import process_registry
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import CollectorRegistry

    from mashup_worker.db.jobs import Job, StatusChange
    from mashup_worker.db.tiers import OpenJobs
    from mashup_worker.db.webhooks import OutboxSummary

ALIVE_WITHIN_S = 900.0
"""Longest time between two passes, which a sweep of a large store may separate."""

_MIN_READY_WITHIN_S = 10.0
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_OTHER = "other"


@dataclass
class MirrorMetrics:
    """Metrics and health of a mirror. Implements `MirrorObserver` and `HealthSource`.

    `poll_s` is the longest interval of the mirror's passes.
    """

    poll_s: float
    registry: CollectorRegistry = field(default_factory=process_registry)

    def __post_init__(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        self._tried_s = time.monotonic()
        self._passed_s: float | None = None
        self._labels: set[tuple[str, str, str]] = set()
        self._queues: set[str] = set()
        self._open = gauge(
            "mashup_open_jobs", "Jobs that have not ended.", ["job_type", "tier", "status"]
        )
        self._oldest = gauge(
            "mashup_oldest_job_age_seconds",
            "Age of the oldest of these jobs.",
            ["job_type", "tier", "status"],
        )
        self._wakeups = gauge(
            "mashup_pending_wakeups", "Wake-ups in Redis that no worker has received.", ["queue"]
        )
        self._workers = gauge(
            "mashup_registered_worker_processes", "Worker processes registered in Redis.", ["queue"]
        )
        self._paused = gauge("mashup_queue_paused", "1 while a queue is paused, else 0.", ["queue"])
        self._passes = counter(
            "mashup_mirror_passes", "Passes of the mirror over the queue.", ["outcome"]
        )
        self._pass_seconds = Histogram(
            "mashup_mirror_pass_seconds",
            "Duration of successful passes.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._changes = counter(
            "mashup_mirror_status_changes",
            "Status changes by the mirror; expire takes a job from a worker without heartbeats.",
            ["change", "job_type", "code"],
        )
        self._orphans = counter(
            "mashup_orphans_removed", "Objects removed because no row references them."
        )
        self._webhooks = counter(
            "mashup_webhook_tries",
            "Tries to deliver a webhook; a dead one was given up.",
            ["outcome"],
        )
        self._webhooks_waiting = gauge(
            "mashup_webhooks_waiting", "Webhooks to be delivered, or delivered again."
        )
        self._webhooks_dead = gauge("mashup_webhooks_dead", "Webhooks that were given up.")
        self._oldest_webhook = gauge(
            "mashup_oldest_webhook_age_seconds", "Age of the oldest webhook to be delivered."
        )
        for outcome in ("done", "failed"):
            self._passes.labels(outcome)
        for outcome in ("delivered", "failed", "dead"):
            self._webhooks.labels(outcome)

    def passed(self, seconds: float | None) -> None:
        """Count a pass; None stands for a failed one."""
        self._tried_s = time.monotonic()
        if seconds is None:
            self._passes.labels("failed").inc()
            return
        self._passed_s = self._tried_s
        self._passes.labels("done").inc()
        self._pass_seconds.observe(seconds)

    def status_changed(self, change: StatusChange, job: Job) -> None:
        """Count a status change by the mirror."""
        self._changes.labels(change, _label_of(job.job_type), job.error_code or "").inc()

    def orphans_removed(self, objects: int) -> None:
        """Count the objects that a sweep removed."""
        self._orphans.inc(objects)

    def webhook_tried(self, outcome: str) -> None:
        """Count a try to deliver a webhook."""
        self._webhooks.labels(outcome).inc()

    def set_webhooks(self, outbox: OutboxSummary) -> None:
        """Set the gauges of the outbox of webhooks."""
        self._webhooks_waiting.set(outbox.waiting)
        self._webhooks_dead.set(outbox.dead)
        self._oldest_webhook.set(outbox.oldest_s)

    def set_queue(
        self,
        jobs: Sequence[OpenJobs],
        wakeups: Mapping[str, int],
        workers: Mapping[str, int],
        paused: Mapping[str, bool],
    ) -> None:
        """Set the gauges: open jobs; by queue wake-ups, registered worker processes and pauses."""
        # Label sets that disappear stay at 0, so that scrapes have no gaps.
        counts = dict.fromkeys(self._labels, 0)
        ages_s = dict.fromkeys(self._labels, 0.0)
        for one in jobs:
            labels = (_label_of(one.job_type), one.tier, one.status)
            counts[labels] = counts.get(labels, 0) + one.jobs
            ages_s[labels] = max(one.oldest_s, ages_s.get(labels, 0.0))
        self._labels = set(counts)
        for labels, number in counts.items():
            self._open.labels(*labels).set(number)
            self._oldest.labels(*labels).set(ages_s[labels])
        for queue, number in wakeups.items():
            self._wakeups.labels(queue).set(number)
        for queue, number in workers.items():
            self._workers.labels(queue).set(number)
        self._queues |= paused.keys()
        for queue in self._queues:
            self._paused.labels(queue).set(paused.get(queue, False))

    def not_alive(self) -> str | None:
        """Return the reason to restart the mirror; None if it is alive."""
        stalled_s = time.monotonic() - self._tried_s
        return f"stalled for {stalled_s:.0f} s" if stalled_s > ALIVE_WITHIN_S else None

    def not_ready(self) -> str | None:
        """Return the reason why the queue is not served; None if it is."""
        if self._passed_s is None:
            return "no pass yet"
        since_s = time.monotonic() - self._passed_s
        limit_s = max(_MIN_READY_WITHIN_S, 3 * self.poll_s)
        return f"no pass for {since_s:.0f} s" if since_s > limit_s else None


def _label_of(job_type: str) -> str:
    """Return the label of a job type; users may insert any text."""
    return job_type if job_type in JOB_TYPES else _OTHER
