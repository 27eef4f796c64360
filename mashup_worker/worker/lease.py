"""Keeps a job's lease while it runs, tells its progress, and stops it when it must stop.

Work is stopped by an exception that the progress callback raises between batches. Where native
code never comes back to it, the process ends: a thread of ours settles the job and leaves. Where
the interpreter itself is held, faulthandler's timer, which needs none, ends the process before the
lease does.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

import redis

from mashup_worker.db import jobs
from mashup_worker.db.database import OUTAGES, reason_of
from mashup_worker.errors import Canceled, JobTimeout, LeaseLost
from mashup_worker.queue.status import StatusView

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.db.database import Database
    from mashup_worker.queue.status import StatusMirror
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.worker.progress import Progress

logger = logging.getLogger(__name__)

_HEARTBEATS_A_LEASE = 6
_GIVE_UP_AT, _END_AT = 1 / 3, 1 / 6
"""Shares of the lease that are left when work is given up, and when the process is ended."""

_TICK_S = 0.1
_POSTGRES_EVERY_S, _REDIS_EVERY_S = 1.0, 0.5
_REDIS_REST_S = 5.0
_EXIT_STUCK = 70
_STDERR = 2


class HandBackError(Exception):
    """The worker stops: the job goes back into the queue, and that is no failure of it."""


class LeaseKeeper:
    """The lease of one attempt, while a `with` block lasts.

    Args:
        database: where the lease is.
        status: the mirror in Redis, for progress.
        claim: whose lease it is.
        progress: what to tell.
        settings: length of the lease, timeout of the job.
        settle: called from another thread with the reason, when the work does not come back by
            itself; the process ends afterwards.
    """

    def __init__(
        self,
        database: Database,
        status: StatusMirror,
        claim: jobs.Claim,
        progress: Progress,
        settings: ServiceSettings,
        settle: Callable[[Exception], None],
    ) -> None:
        self._database, self._status, self._claim = database, status, claim
        self._progress, self._settle = progress, settle
        self._lease_s = settings.attempts.lease_s
        self._patience_s = min(20.0, settings.attempts.lease_s / 3)
        started_s = time.monotonic()
        self._ends_s = started_s + settings.attempts.job_timeout_s
        self._timeout_s = settings.attempts.job_timeout_s
        self._lease_until_s = started_s + settings.attempts.lease_s
        self._reason: Exception | None = None
        self._reason_since_s = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._told_redis: tuple[int, str | None] = (-1, None)
        self._told_postgres: tuple[int, str | None] = (0, None)
        self._redis_from_s = 0.0
        self._postgres_from_s = started_s + settings.attempts.lease_s / _HEARTBEATS_A_LEASE

    def __enter__(self) -> LeaseKeeper:
        self._arm()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        # Before the thread, which may be waiting for a database that is away, and after it, since
        # it may have armed the timer once more.
        faulthandler.cancel_dump_traceback_later()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def report(self, stage: str, share: float) -> None:
        """Progress, from the work itself; raises the reason where it has to stop.

        Raises:
            LeaseLost, Canceled, JobTimeout, HandBackError: stop.
        """
        self._progress.advance(stage, share)
        self.check()

    def check(self) -> None:
        """Raise the reason to stop, if there is one.

        Raises:
            LeaseLost, Canceled, JobTimeout, HandBackError: stop.
        """
        if self._reason is None and time.monotonic() > self.give_up_at_s:
            self.abort(LeaseLost("Postgres did not answer, and the lease is about to end"))
        if self._reason is not None:
            raise self._reason

    def abort(self, reason: Exception) -> None:
        """Stop the work at its next report."""
        if self._reason is None:
            self._reason, self._reason_since_s = reason, time.monotonic()

    @property
    def give_up_at_s(self) -> float:
        """When nothing more is tried for this job, on the monotonic clock."""
        return self._lease_until_s - _GIVE_UP_AT * self._lease_s

    @property
    def _left_s(self) -> float:
        return self._lease_until_s - time.monotonic()

    def _arm(self) -> None:
        """End the process before the lease does, whoever holds the interpreter then."""
        left_s = self._left_s - _END_AT * self._lease_s
        faulthandler.dump_traceback_later(max(0.05, left_s), exit=True, file=_STDERR)

    def _run(self) -> None:
        while not self._stopped.wait(_TICK_S):
            now_s = time.monotonic()
            if now_s > self._ends_s:
                self.abort(JobTimeout(f"it took longer than {self._timeout_s:g} s"))
            if self._reason is not None and now_s - self._reason_since_s > self._patience_s:
                self._end()
            self._tell_redis(now_s)
            self._tell_postgres(now_s)

    def _tell_postgres(self, now_s: float) -> None:
        told = self._progress.now()
        news = told != self._told_postgres and now_s >= self._postgres_from_s - self._quiet_s
        if not news and now_s < self._postgres_from_s:
            return
        try:
            with self._database.transaction() as connection:
                canceled = jobs.heartbeat(connection, self._claim, self._lease_s, *told)
        except LeaseLost as error:
            self.abort(error)
            canceled = False
        except OUTAGES as error:
            logger.warning("heartbeat: %s", reason_of(error))
            self._postgres_from_s = time.monotonic() + _POSTGRES_EVERY_S
            return
        else:
            # Counted from before the question was asked: the database's clock started later.
            self._lease_until_s = now_s + self._lease_s
            self._told_postgres = told
            if not self._stopped.is_set():
                self._arm()
        if canceled:
            self.abort(Canceled("It was canceled."))
        self._postgres_from_s = now_s + self._lease_s / _HEARTBEATS_A_LEASE

    @property
    def _quiet_s(self) -> float:
        """How much earlier than a heartbeat progress may be told: at most once a second."""
        return max(0.0, self._lease_s / _HEARTBEATS_A_LEASE - _POSTGRES_EVERY_S)

    def _tell_redis(self, now_s: float) -> None:
        told = self._progress.now()
        if told == self._told_redis or now_s < self._redis_from_s or self._reason is not None:
            return
        percent, stage = told
        view = StatusView(self._claim.id, self._claim.attempt, "processing", percent, stage)
        try:
            self._status.write(view)
            self._redis_from_s = now_s + _REDIS_EVERY_S
        except redis.RedisError:  # the mirror brings it up to date later
            self._redis_from_s = now_s + _REDIS_REST_S
        self._told_redis = told

    def _end(self) -> None:
        """The work does not come back: settle the job from here, and leave."""
        assert self._reason is not None, "called with a reason"  # noqa: S101
        logger.error("the work does not stop (%s): ending the process", self._reason)
        try:
            self._settle(self._reason)
        finally:
            os._exit(_EXIT_STUCK)
