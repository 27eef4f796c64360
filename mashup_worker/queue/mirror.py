"""Mirror: wakes workers for waiting jobs, and copies the state of jobs from Postgres to Redis.

Several mirrors may run. Each step is either a fenced change of one row, which one of them makes, or
a write to Redis that follows from Postgres. A job with two wake-ups is claimed once.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import psycopg
import redis
from rq import Worker, worker_registration

from mashup_worker.db import jobs, queues
from mashup_worker.db.database import OUTAGES, is_outage, reason_of
from mashup_worker.db.tiers import likely_over_quota, reject_over_quota
from mashup_worker.errors import InvalidInput, LeaseLost
from mashup_worker.queue.status_sync import StatusSync
from mashup_worker.queue.validation import unknown_job_type
from mashup_worker.queue.wakeups import notify, pending_wakeups, rq_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from rq import Queue

    from mashup_worker.db.database import Connection, Database
    from mashup_worker.settings import QueueSettings

logger = logging.getLogger(__name__)

_MIN_PAUSE_S = 0.05
_FIRST_BACKOFF_S = 0.5


@dataclass(frozen=True)
class PeriodicTask:
    """Task that runs every `every_s` seconds, also after an exception, which is logged."""

    name: str
    every_s: float
    run: Callable[[], None]


class MirrorObserver(Protocol):
    """Receiver of a mirror's events."""

    def passed(self, seconds: float | None) -> None:
        """Record the duration of a pass; None for a failed one."""

    def status_changed(self, change: jobs.StatusChange, job: jobs.Job) -> None:
        """Record a status change by the mirror."""


class _NullObserver:
    def passed(self, seconds: float | None) -> None: ...

    def status_changed(self, change: jobs.StatusChange, job: jobs.Job) -> None: ...


class Mirror:
    """Loop of passes over the queue, with periodic tasks between them.

    Attributes:
        status_sync: copies statuses.
    """

    def __init__(
        self,
        database: Database,
        redis: redis.Redis,
        settings: QueueSettings,
        *,
        periodic_tasks: Sequence[PeriodicTask] = (),
        observer: MirrorObserver | None = None,
    ) -> None:
        self.database, self.redis, self.settings = database, redis, settings
        self.status_sync = StatusSync(database, redis, settings.poll_s)
        self._schedule = _PeriodicSchedule(periodic_tasks)
        self._observer: MirrorObserver = observer or _NullObserver()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._next_quotas_s = 0.0

    def wake(self) -> None:
        """Start the next pass now, since jobs may have changed."""
        self._woken.set()

    def stop(self) -> None:
        """Stop after the current pass."""
        self._stopped.set()
        self._woken.set()

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Make passes until stopped, and wait out outages of Postgres and Redis.

        `on_ready` is called after the first successful pass.
        """
        ready = False
        pause_s = 0.0
        while not self._stopped.is_set():
            started_s = time.monotonic()
            try:
                wait_s = self.pass_once()
                self._observer.passed(time.monotonic() - started_s)
                pause_s = 0.0
                if not ready:
                    ready = True
                    on_ready()
            except Exception as error:  # no error may stop the queue
                self._observer.passed(None)
                pause_s = min(2 * pause_s or _FIRST_BACKOFF_S, self.settings.poll_s)
                if isinstance(error, (*OUTAGES, redis.RedisError)):
                    logger.warning("%s; next pass in %.1f s", reason_of(error), pause_s)
                else:
                    logger.exception("pass failed; next pass in %.1f s", pause_s)
                self._stopped.wait(pause_s)
                continue
            next_task_s = self._schedule.run_due()
            self._woken.wait(min(wait_s, next_task_s))
            self._stopped.wait(_MIN_PAUSE_S)  # combines many notifications into one pass
            self._woken.clear()

    def pass_once(self) -> float:
        """Make one pass; return the longest time in seconds until the next.

        Raises:
            ServiceUnavailable, psycopg.OperationalError, redis.RedisError: a service is
                unreachable.
        """
        with self.database.transaction() as connection:
            self._reject_unknown(connection)
            self._cancel_waiting(connection)
            self._expire(connection)
        self._reject_over_quota()
        self.status_sync.run()
        with self.database.transaction() as connection:
            paused = {job_type for one in queues.paused(connection) for job_type in one.job_types}
        for name, job_types in self.settings.queues.items():
            if paused.isdisjoint(job_types):
                self._top_up(rq_queue(name, self.redis), job_types)
        with self.database.transaction() as connection:
            due_s = jobs.select(connection, "next_due_s")[0]["seconds"]
        poll_s = self.settings.poll_s
        return poll_s if due_s is None else min(poll_s, max(0.0, due_s))

    def _reject_unknown(self, connection: Connection) -> None:
        known = [job_type for types in self.settings.queues.values() for job_type in types]
        for row in jobs.select(connection, "of_no_queue", job_types=known):
            message = unknown_job_type(row["job_type"]).message
            self._change(connection, "reject", row["id"], code=InvalidInput.code, message=message)

    def _cancel_waiting(self, connection: Connection) -> None:
        jobs.select(connection, "cancel_overdue")
        for row in jobs.select(connection, "to_cancel"):
            self._change(connection, "cancel_waiting", row["id"])

    def _expire(self, connection: Connection) -> None:
        for row in jobs.select(connection, "expired"):
            message = f"worker {row['worker_id']}: no heartbeat in attempt {row['attempt']}"
            changed = self._change(
                connection, "expire", row["id"], code=LeaseLost.code, message=message
            )
            if changed is not None:
                logger.warning("job %s: %s; now %s", changed.id, message, changed.status)

    def _reject_over_quota(self) -> None:
        """Reject jobs over their quota once per poll; workers check again before each start."""
        now_s = time.monotonic()
        if not self.settings.enforce_quotas or now_s < self._next_quotas_s:
            return
        self._next_quotas_s = now_s + self.settings.poll_s
        with self.database.transaction() as connection:
            found = likely_over_quota(connection)
        for job_id in found:
            # One transaction each, since each holds the lock of its user until the end.
            with self.database.transaction() as connection:
                rejected = reject_over_quota(connection, job_id)
            if rejected is not None:
                self._observer.status_changed("reject", rejected)
                logger.info("job %s: %s", job_id, rejected.error_message)

    def _change(
        self, connection: Connection, change: jobs.StatusChange, job_id: UUID, **parameters: str
    ) -> jobs.Job | None:
        """Change one job; log a refusal of the database and continue with other jobs."""
        try:
            with connection.transaction():
                changed = jobs.change_status(connection, change, id=job_id, **parameters)
        except psycopg.Error as error:
            if is_outage(error):
                raise
            logger.exception("job %s: %s", job_id, change)
            return None
        if changed is not None:
            self._observer.status_changed(change, changed)
        return changed

    def _top_up(self, queue: Queue, job_types: Sequence[str]) -> None:
        """Keep a few wake-ups in a queue: enough to keep workers busy, and decided late."""
        pending = pending_wakeups(queue)
        worker_registration.clean_worker_registry(queue)  # drops workers that were killed
        depth = max(self.settings.queue_depth, 2 * Worker.count(queue=queue))
        if len(pending) >= depth:
            return
        with self.database.transaction() as connection:
            rows = jobs.select(
                connection,
                "next_waiting",
                job_types=list(job_types),
                aging_s=self.settings.aging_s,
                pending=list(pending),
                limit=depth - len(pending),
            )
        for row in rows:
            notify(queue, row["id"], attempt=row["attempt"], job_type=row["job_type"])


class _PeriodicSchedule:
    """Schedule of tasks; each runs for the first time one interval after the first call."""

    def __init__(self, tasks: Sequence[PeriodicTask]) -> None:
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
