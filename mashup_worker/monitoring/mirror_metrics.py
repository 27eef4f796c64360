"""What a mirror counts, and how long the queue is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from mashup_worker.monitoring.process import process_registry
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import CollectorRegistry

    from mashup_worker.db.jobs import Job, Move
    from mashup_worker.db.tiers import OpenJobs

ALIVE_WITHIN_S = 900.0
"""How long ago the last pass may have been tried: sweeps of a large store come in between."""

_SHORTEST_PATIENCE_S = 10.0
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_OTHER = "other"


@dataclass
class MirrorMetrics:
    """Counts what a mirror does, and says how it does.

    Attributes:
        sweep_s: how often it passes at least.
        registry: the metrics.
    """

    sweep_s: float
    registry: CollectorRegistry = field(default_factory=process_registry)

    def __post_init__(self) -> None:
        registry = self.registry
        self._turned_s = time.monotonic()
        self._passed_s: float | None = None
        self._seen: set[tuple[str, str, str]] = set()
        self._open = Gauge(
            "mashup_open_jobs",
            "Jobs that have not ended.",
            ["job_type", "tier", "status"],
            registry=registry,
        )
        self._oldest = Gauge(
            "mashup_oldest_job_age_seconds",
            "How long ago the oldest of these jobs was inserted.",
            ["job_type", "tier", "status"],
            registry=registry,
        )
        self._doorbells = Gauge(
            "mashup_doorbells",
            "Doorbells in Redis that nobody has answered yet.",
            ["worker_class"],
            registry=registry,
        )
        self._workers = Gauge(
            "mashup_registered_lanes",
            "Lanes that have told Redis of themselves.",
            ["worker_class"],
            registry=registry,
        )
        self._passes = Counter(
            "mashup_mirror_passes",
            "Passes over the queue.",
            ["outcome"],
            registry=registry,
        )
        self._pass_seconds = Histogram(
            "mashup_mirror_pass_seconds",
            "Passes that went through.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._moves = Counter(
            "mashup_mirror_moves",
            "Jobs that the mirror moved itself: expire takes them from a worker that stopped"
            " answering.",
            ["move", "job_type", "code"],
            registry=registry,
        )
        self._orphans = Counter(
            "mashup_orphans_removed",
            "Objects removed because no row names them.",
            registry=registry,
        )
        for outcome in ("done", "failed"):
            self._passes.labels(outcome)

    def turned(self, seconds: float | None) -> None:
        """A pass was made; None where it failed."""
        self._turned_s = time.monotonic()
        if seconds is None:
            self._passes.labels("failed").inc()
            return
        self._passed_s = self._turned_s
        self._passes.labels("done").inc()
        self._pass_seconds.observe(seconds)

    def moved(self, move: Move, job: Job) -> None:
        """The mirror moved a job."""
        self._moves.labels(move, _known(job.job_type), job.error_code or "").inc()

    def orphans_removed(self, objects: int) -> None:
        """A sweep is done."""
        self._orphans.inc(objects)

    def see_queue(
        self, jobs: Sequence[OpenJobs], doorbells: Mapping[str, int], workers: Mapping[str, int]
    ) -> None:
        """How long the queue is now.

        Args:
            jobs: those that have not ended.
            doorbells: waiting in Redis, by class of workers.
            workers: lanes known to Redis, by class.
        """
        # What is not there any more is told as 0, so that a scrape in between finds no gap.
        counts = dict.fromkeys(self._seen, 0)
        ages_s = dict.fromkeys(self._seen, 0.0)
        for one in jobs:
            labels = (_known(one.job_type), one.tier, one.status)
            counts[labels] = counts.get(labels, 0) + one.jobs
            ages_s[labels] = max(one.oldest_s, ages_s.get(labels, 0.0))
        self._seen = set(counts)
        for labels, number in counts.items():
            self._open.labels(*labels).set(number)
            self._oldest.labels(*labels).set(ages_s[labels])
        for worker_class, number in doorbells.items():
            self._doorbells.labels(worker_class).set(number)
        for worker_class, number in workers.items():
            self._workers.labels(worker_class).set(number)

    def not_alive(self) -> str | None:
        """Why the mirror should be started anew."""
        still_s = time.monotonic() - self._turned_s
        return f"it stands still for {still_s:.0f} s" if still_s > ALIVE_WITHIN_S else None

    def not_ready(self) -> str | None:
        """Why the queue is not looked after."""
        if self._passed_s is None:
            return "no pass yet"
        since_s = time.monotonic() - self._passed_s
        patience_s = max(_SHORTEST_PATIENCE_S, 3 * self.sweep_s)
        return f"no pass for {since_s:.0f} s" if since_s > patience_s else None


def _known(job_type: str) -> str:
    """A job type as a label: users may insert any text."""
    return job_type if job_type in JOB_TYPES else _OTHER
