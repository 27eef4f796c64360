"""Lease of a running job: renewal, progress, and the end of work that must stop.

The progress callback stops work by raising an exception. Work that never calls it is ended with the
process: first by a thread that finalizes the job and exits, then, if native code holds the
interpreter, by faulthandler's timer before the lease ends.
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
from mashup_worker.queue.status import StatusView, write_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.db.database import Database
    from mashup_worker.settings import AttemptSettings
    from mashup_worker.worker.progress import Progress

logger = logging.getLogger(__name__)

_HEARTBEATS_PER_LEASE = 6
_GIVE_UP_SHARE, _EXIT_SHARE = 1 / 3, 1 / 6
"""Remaining shares of the lease at which work is given up, and at which the process exits."""

_TICK_S = 0.1
_POSTGRES_INTERVAL_S, _REDIS_INTERVAL_S = 1.0, 0.5
_REDIS_RETRY_S = 5.0
_MAX_STUCK_S = 20.0
_EXIT_STUCK = 70
_STDERR = 2


class JobReleased(Exception):
    """The worker stops: the job is queued again without counting a failure."""


class Lease:
    """Context manager that holds the lease of one attempt.

    Args:
        database: holds the lease.
        client: Redis, which receives the progress.
        claim: the attempt.
        progress: progress to store.
        settings: length of the lease, timeout of the job.
        finalize: called with the reason, from another thread, when the work does not stop; the
            process exits afterwards.
    """

    def __init__(
        self,
        database: Database,
        client: redis.Redis,
        claim: jobs.Claim,
        *,
        progress: Progress,
        settings: AttemptSettings,
        finalize: Callable[[Exception], None],
    ) -> None:
        self._database, self._redis, self._claim = database, client, claim
        self._progress, self._finalize = progress, finalize
        self._lease_s, self._timeout_s = settings.lease_s, settings.job_timeout_s
        self._max_stuck_s = min(_MAX_STUCK_S, settings.lease_s / 3)
        started_s = time.monotonic()
        self._times_out_s = started_s + settings.job_timeout_s
        self._expires_s = started_s + settings.lease_s
        self._reason: Exception | None = None
        self._reason_since_s = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._in_redis: tuple[int, str | None] = (-1, None)
        self._in_postgres: tuple[int, str | None] = (0, None)
        self._next_redis_s = 0.0
        self._next_heartbeat_s = started_s + self._heartbeat_interval_s

    def __enter__(self) -> Lease:
        self._arm_exit()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        # Before the join, since the thread may wait for an unreachable database, and after it,
        # since the thread may have armed the timer again.
        faulthandler.cancel_dump_traceback_later()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def report(self, stage: str, share: float) -> None:
        """Store progress of the work.

        Raises:
            LeaseLost, Canceled, JobTimeout, JobReleased: the work must stop.
        """
        self._progress.advance(stage, share)
        self.check()

    def check(self) -> None:
        """Raise the reason to stop, if one exists.

        Raises:
            LeaseLost, Canceled, JobTimeout, JobReleased: the work must stop.
        """
        if self._reason is None and time.monotonic() > self.give_up_at_s:
            self.abort(LeaseLost("Postgres did not answer, and the lease is about to end"))
        if self._reason is not None:
            raise self._reason

    def abort(self, reason: Exception) -> None:
        """Stop the work at its next report. The first reason wins."""
        if self._reason is None:
            self._reason, self._reason_since_s = reason, time.monotonic()

    @property
    def give_up_at_s(self) -> float:
        """Time on the monotonic clock after which nothing is tried for this job."""
        return self._expires_s - _GIVE_UP_SHARE * self._lease_s

    @property
    def _heartbeat_interval_s(self) -> float:
        return self._lease_s / _HEARTBEATS_PER_LEASE

    def _arm_exit(self) -> None:
        """Let faulthandler end the process shortly before the lease ends."""
        left_s = self._expires_s - time.monotonic() - _EXIT_SHARE * self._lease_s
        faulthandler.dump_traceback_later(max(0.05, left_s), exit=True, file=_STDERR)

    def _run(self) -> None:
        while not self._stopped.wait(_TICK_S):
            now_s = time.monotonic()
            if now_s > self._times_out_s:
                self.abort(JobTimeout(f"the attempt took longer than {self._timeout_s:g} s"))
            if self._reason is not None and now_s - self._reason_since_s > self._max_stuck_s:
                self._exit_stuck()
            self._write_redis(now_s)
            self._write_postgres(now_s)

    def _write_postgres(self, now_s: float) -> None:
        """Send a heartbeat when it is due, or earlier with new progress, once a second at most."""
        percent, stage = self._progress.now()
        early_s = max(0.0, self._heartbeat_interval_s - _POSTGRES_INTERVAL_S)
        changed = (percent, stage) != self._in_postgres
        if now_s < self._next_heartbeat_s - (early_s if changed else 0.0):
            return
        try:
            with self._database.transaction() as connection:
                canceled = jobs.heartbeat(
                    connection, self._claim, lease_s=self._lease_s, progress=percent, stage=stage
                )
        except LeaseLost as error:
            self.abort(error)
            canceled = False
        except OUTAGES as error:
            logger.warning("heartbeat: %s", reason_of(error))
            self._next_heartbeat_s = time.monotonic() + _POSTGRES_INTERVAL_S
            return
        else:
            # From before the query was sent, since the database's clock started later.
            self._expires_s = now_s + self._lease_s
            self._in_postgres = (percent, stage)
            if not self._stopped.is_set():
                self._arm_exit()
        if canceled:
            self.abort(Canceled())
        self._next_heartbeat_s = now_s + self._heartbeat_interval_s

    def _write_redis(self, now_s: float) -> None:
        percent, stage = self._progress.now()
        unchanged = (percent, stage) == self._in_redis
        if unchanged or now_s < self._next_redis_s or self._reason is not None:
            return
        view = StatusView(
            id=self._claim.id,
            attempt=self._claim.attempt,
            status="processing",
            progress=percent,
            stage=stage,
        )
        try:
            write_status(self._redis, view)
            self._next_redis_s = now_s + _REDIS_INTERVAL_S
        except redis.RedisError:  # the mirror writes it later
            self._next_redis_s = now_s + _REDIS_RETRY_S
        self._in_redis = (percent, stage)

    def _exit_stuck(self) -> None:
        """Finalize the job from this thread and exit."""
        assert self._reason is not None, "called with a reason"  # noqa: S101
        logger.error("the work does not stop (%s); the process exits", self._reason)
        try:
            self._finalize(self._reason)
        finally:
            os._exit(_EXIT_STUCK)
