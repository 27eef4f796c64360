"""The mirror: keeps Redis in step with Postgres, and Postgres free of jobs that nobody holds.

Several mirrors may run. Every step is either a fenced change of one row, which only one of them
wins, or a write to Redis that says what Postgres says, whoever writes it. A doorbell that two of
them ring is answered twice and claimed once.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import redis
from rq import Worker, worker_registration

from mashup_worker.db import jobs
from mashup_worker.db.database import OUTAGES, is_away, reason_of
from mashup_worker.db.tiers import likely_over_quota, reject_over_quota
from mashup_worker.errors import InvalidInput, LeaseLost
from mashup_worker.queue.doorbell import queue_of, ring, rung
from mashup_worker.queue.status import StatusMirror, StatusView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from rq import Queue

    from mashup_worker.db.database import Connection, Database
    from mashup_worker.settings import ServiceSettings

logger = logging.getLogger(__name__)

_SENTINEL = "ai_jobs:mirrored"
"""A key that vanishes with everything else when Redis is flushed or starts empty."""

_PAGE = 500
_REMEMBERED = timedelta(days=1)
_LATE, _VERY_LATE = timedelta(seconds=2), timedelta(seconds=60)
"""A row's `updated_at` is older than its commit, by as long as its transaction lasted. So every
pass looks a little further back than the one before did, every sweep further than that, and now
and then one looks at everything."""

_EVERYTHING_EVERY_S = 600.0
_FIRST_ID = "00000000-0000-0000-0000-000000000000"
_SHORTEST_PAUSE_S = 0.05


@dataclass(frozen=True)
class Chore:
    """Something to do now and then.

    Attributes:
        name: for the log.
        every_s: how often.
        run: does it; an exception is logged, and it is tried again the next time.
    """

    name: str
    every_s: float
    run: Callable[[], None]


class Observer(Protocol):
    """Sees what a mirror does."""

    def turned(self, seconds: float | None) -> None:
        """A pass took so long; None where it failed."""
        ...

    def moved(self, move: jobs.Move, job: jobs.Job) -> None:
        """The mirror itself moved a job."""
        ...


class _Nobody:
    def turned(self, seconds: float | None) -> None:
        """Nothing."""

    def moved(self, move: jobs.Move, job: jobs.Job) -> None:
        """Nothing."""


@dataclass
class Mirror:
    """One mirror.

    Attributes:
        database, redis: the two sides.
        settings: lease, ageing, depth and classes.
        chores: what else is to be done now and then.
        observer: told of passes and moves.
    """

    database: Database
    redis: redis.Redis
    settings: ServiceSettings
    chores: Sequence[Chore] = ()
    observer: Observer = field(default_factory=_Nobody)
    _woken: threading.Event = field(default_factory=threading.Event)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _seen: datetime | None = None
    _due_s: dict[str, float] = field(default_factory=dict)
    _swept_s: float = 0.0
    _everything_s: float = 0.0
    _quotas_s: float = 0.0

    def wake(self) -> None:
        """Something may have changed."""
        self._woken.set()

    def stop(self) -> None:
        """End after the pass that is under way."""
        self._stopped.set()
        self._woken.set()

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Pass after pass until stopped; an outage of either side is waited out.

        Args:
            on_ready: called after the first pass that went through.
        """
        ready = False
        pause_s = 0.0
        while not self._stopped.is_set():
            started_s = time.monotonic()
            try:
                wait_s = self.pass_once()
                self.observer.turned(time.monotonic() - started_s)
                pause_s = 0.0
                if not ready:
                    ready = True
                    on_ready()
            except Exception as error:  # whatever it is, the queue must not stand still for it
                self.observer.turned(None)
                pause_s = min(2 * pause_s or 0.5, self.settings.queue.poll_s)
                if isinstance(error, (*OUTAGES, redis.RedisError)):
                    logger.warning("%s; again in %.1f s", reason_of(error), pause_s)
                else:
                    logger.exception("a pass failed; again in %.1f s", pause_s)
                self._stopped.wait(pause_s)
                continue
            self._do_chores()
            self._woken.wait(min(wait_s, self._next_chore_s()))
            self._stopped.wait(_SHORTEST_PAUSE_S)  # many hints at once are one
            self._woken.clear()

    def pass_once(self) -> float:
        """All steps once; the seconds until the next are needed at the latest.

        Raises:
            ServiceUnavailable, psycopg.OperationalError, redis.RedisError: one side is away.
        """
        with self.database.transaction() as connection:
            self._reject_unknown(connection)
            self._cancel_waiting(connection)
            self._expire(connection)
        self._reject_over_quota()
        self._reconcile()
        for worker_class, job_types in self.settings.queue.queues.items():
            self._top_up(queue_of(worker_class, self.redis), job_types)
        with self.database.transaction() as connection:
            due_s = jobs.select(connection, "next_due_s")[0]["seconds"]
        sweep_s = self.settings.queue.poll_s
        return sweep_s if due_s is None else min(sweep_s, max(0.0, due_s))

    def _reject_unknown(self, connection: Connection) -> None:
        known = sorted(kind for types in self.settings.queue.queues.values() for kind in types)
        for row in jobs.select(connection, "of_no_class", job_types=known):
            message = f"job_type {row['job_type']!r}: one of {', '.join(known)}"
            self._move(connection, "reject", row["id"], code=InvalidInput.code, message=message)

    def _cancel_waiting(self, connection: Connection) -> None:
        for row in jobs.select(connection, "to_cancel"):
            self._move(connection, "cancel_waiting", row["id"])

    def _expire(self, connection: Connection) -> None:
        for row in jobs.select(connection, "expired"):
            message = f"worker {row['worker_id']} stopped answering in attempt {row['attempt']}"
            moved = self._move(
                connection, "expire", row["id"], code=LeaseLost.code, message=message
            )
            if moved is not None:
                logger.warning("job %s: %s; now %s", moved.id, message, moved.status)

    def _reject_over_quota(self) -> None:
        """Once a sweep, tell users early; workers ask again before they start a job."""
        now_s = time.monotonic()
        if not self.settings.queue.enforce_quotas or now_s < self._quotas_s:
            return
        self._quotas_s = now_s + self.settings.queue.poll_s
        with self.database.transaction() as connection:
            found = likely_over_quota(connection)
        for job_id in found:
            # One at a time: each holds its user until the transaction ends.
            with self.database.transaction() as connection:
                rejected = reject_over_quota(connection, job_id)
            if rejected is not None:
                self.observer.moved("reject", rejected)
                logger.info("job %s: %s", job_id, rejected.error_message)

    def _move(
        self, connection: Connection, kind: jobs.Move, job_id: UUID, **told: str
    ) -> jobs.Job | None:
        """Move one job; where the database refuses, the others are moved all the same."""
        try:
            with connection.transaction():
                moved = jobs.move(connection, kind, id=job_id, **told)
        except psycopg.Error as error:
            if is_away(error):
                raise
            logger.exception("job %s: %s", job_id, kind)
            return None
        if moved is not None:
            self.observer.moved(kind, moved)
        return moved

    def _reconcile(self) -> None:
        """Bring what changed, or after a flush all that is remembered, into Redis."""
        status = StatusMirror(self.redis)
        now_s = time.monotonic()
        sentinel = self.redis.get(_SENTINEL)
        # A Redis that came back with what it knew a while ago says so by the time it keeps.
        kept = datetime.fromisoformat(sentinel.decode()) if isinstance(sentinel, bytes) else None
        with self.database.transaction() as connection:
            now: datetime = jobs.select(connection, "clock")[0]["now"]
            if kept is None or self._seen is None or now_s > self._everything_s:
                for page in self._pages(connection, "still_open"):
                    self._write(status, page)
                since = now - _REMEMBERED
                self._everything_s = now_s + _EVERYTHING_EVERY_S
            else:
                late = _VERY_LATE if now_s >= self._swept_s + self.settings.queue.poll_s else _LATE
                since = min(self._seen, kept) - late
                self._swept_s = now_s if late is _VERY_LATE else self._swept_s
            for page in self._pages(connection, "changed_since", since):
                self._write(status, page)
        # Only where it still is: else Redis was flushed meanwhile, and has to be told everything.
        written = self.redis.set(_SENTINEL, now.isoformat(), xx=kept is not None)
        self._seen = now if written else None

    @staticmethod
    def _pages(
        connection: Connection, query: str, since: datetime | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        after: object = _FIRST_ID
        while rows := jobs.select(connection, query, since=since, after=after, limit=_PAGE):
            yield rows
            since, after = rows[-1]["updated_at"], rows[-1]["id"]

    @staticmethod
    def _write(status: StatusMirror, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            status.write(StatusView.of_row(row))

    def _top_up(self, queue: Queue, job_types: Sequence[str]) -> None:
        """Ring for the next few jobs, so that workers never wait and order is decided late."""
        waiting = rung(queue)
        worker_registration.clean_worker_registry(queue)  # of workers that died without a word
        depth = max(self.settings.queue.queue_depth, 2 * Worker.count(queue=queue))
        if len(waiting) >= depth:
            return
        with self.database.transaction() as connection:
            rows = jobs.select(
                connection,
                "next_waiting",
                job_types=list(job_types),
                ageing_s=self.settings.queue.aging_s,
                rung=list(waiting),
                limit=depth - len(waiting),
            )
        for row in rows:
            ring(queue, row["id"], row["attempt"], row["job_type"])

    def _do_chores(self) -> None:
        now_s = time.monotonic()
        for chore in self.chores:
            if now_s < self._due_s.setdefault(chore.name, now_s + chore.every_s):
                continue
            self._due_s[chore.name] = now_s + chore.every_s
            try:
                chore.run()
            except Exception:
                logger.exception("%s", chore.name)

    def _next_chore_s(self) -> float:
        soonest_s = min(self._due_s.values(), default=float("inf"))
        return max(0.0, soonest_s - time.monotonic())
