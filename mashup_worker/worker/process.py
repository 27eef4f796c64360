"""Worker process: claims and runs jobs of one queue, with its models loaded."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING
from uuid import uuid4

import redis
from rq.exceptions import StopRequested

from mashup_worker.db import jobs
from mashup_worker.db.database import OUTAGES, reason_of
from mashup_worker.errors import DeviceLost, MashupError, OutOfMemory
from mashup_worker.monitoring.health import watch_health
from mashup_worker.queue.redis_client import open_redis
from mashup_worker.queue.wakeups import rq_queue
from mashup_worker.worker.announcer import ProcessAnnouncer
from mashup_worker.worker.attempt import Attempt, claim
from mashup_worker.worker.lease import JobReleased
from mashup_worker.worker.rq_worker import RqWorker, StopWaiting

if TYPE_CHECKING:
    from types import FrameType
    from uuid import UUID

    from mashup_worker.monitoring.processes import ProcessState
    from mashup_worker.monitoring.reports import HealthReport
    from mashup_worker.worker.context import WorkerContext

logger = logging.getLogger(__name__)

_BLOCKING_TIMEOUT_S = 40.0
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.25, 5.0


class WorkerProcess:
    """Loop over the wake-ups of one queue."""

    def __init__(self, context: WorkerContext, queue: str) -> None:
        self._context, self._queue = context, queue
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._stopping = threading.Event()
        self._attempt: Attempt | None = None
        self._worker: RqWorker | None = None
        self._connections = 0
        self._is_broken = False
        self._is_ready = False
        self._announcer = ProcessAnnouncer(
            context.redis,
            process_id=self.worker_id,
            queue=queue,
            models=context.models,
            state=self._state,
        )

    def watch_health(self) -> None:
        """Send health reports to the supervisor, and announce the process in Redis."""

        def send(report: HealthReport) -> None:
            self._context.send_report(report)
            self._announcer.send(report)

        watch_health(send, self._context.services, self._context.models.device)

    def run(self) -> bool:
        """Work until stopped; return False if the process must be replaced.

        The models stay loaded during outages of Redis and Postgres.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._is_ready = True
        try:
            self._work()
        finally:
            self._announcer.withdraw()
        return not self._is_broken

    def _state(self) -> ProcessState:
        if self._stopping.is_set() or self._is_broken:
            return "stopping"
        return "ready" if self._is_ready else "starting"

    def _work(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set() and not self._is_broken:
            try:
                self._listen()
                pause_s = _FIRST_PAUSE_S
            except (StopWaiting, StopRequested):
                break
            except (redis.RedisError, *OUTAGES) as error:
                logger.warning("%s; next try in %.1f s", reason_of(error), pause_s)
                self._stopping.wait(pause_s)
                pause_s = min(_MAX_PAUSE_S, 2 * pause_s)

    def _listen(self) -> None:
        """Handle wake-ups until stopped, or until Redis is unreachable."""
        self._context.redis.ping()
        settings = self._context.settings
        with open_redis(settings, timeout_s=_BLOCKING_TIMEOUT_S) as connection:
            self._connections += 1
            self._worker = RqWorker(
                rq_queue(self._queue, connection),
                connection,
                f"{self.worker_id}-{self._connections}",
                on_wakeup=self._on_wakeup,
                max_job_s=settings.attempts.job_timeout_s,
                is_stopping=lambda: self._stopping.is_set() or self._is_broken,
            )
            self._worker.work(logging_level=None)

    def _on_wakeup(self, job_id: UUID) -> None:
        job = self._claim(job_id)
        if job is None:
            return
        self._attempt = Attempt(self._context, job)
        if self._stopping.is_set():  # the signal arrived during the claim
            self._attempt.release()
        error = self._attempt.run()
        self._attempt = None
        self._clean_up(error)

    def _claim(self, job_id: UUID) -> jobs.Job | None:
        pause_s, in_doubt = _FIRST_PAUSE_S, False
        while not self._stopping.is_set():
            try:
                claimed = claim(self._context, job_id, self.worker_id)
                if claimed is not None or not in_doubt:
                    return claimed
                # An earlier COMMIT may have succeeded without an answer.
                with self._context.database.transaction() as connection:
                    job = jobs.find(connection, job_id)
            except OUTAGES as error:
                logger.warning("claim of job %s: %s", job_id, reason_of(error))
                in_doubt = True
                self._stopping.wait(pause_s)
                pause_s = min(_MAX_PAUSE_S, 2 * pause_s)
            else:
                ours = job is not None and job.status == "processing"
                return job if ours and job and job.worker_id == self.worker_id else None
        return None

    def _clean_up(self, error: Exception | None) -> None:
        if isinstance(error, OutOfMemory | MemoryError):
            gc.collect()
            self._context.models.free_memory()
        elif error is not None and _loses_device(error):
            logger.error("this process can no longer use its device; it exits")
            self._is_broken = True
            if self._worker is not None:
                self._worker.stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """At the first signal, finish the job within the grace; at the second, release it now."""
        attempt = self._attempt
        if self._stopping.is_set():
            logger.warning("%s again: stopping now", signal.Signals(number).name)
            if attempt is not None:
                attempt.release()
            elif self._worker is not None:
                self._worker.stop()
            return
        self._stopping.set()
        logger.info("%s: stopping", signal.Signals(number).name)
        if attempt is not None:
            grace_s = self._context.settings.attempts.stop_grace_s
            timer = threading.Timer(grace_s, attempt.release)
            timer.daemon = True
            timer.start()
        if self._worker is not None:
            self._worker.stop()


def _loses_device(error: Exception) -> bool:
    if isinstance(error, MashupError | JobReleased):
        return isinstance(error, DeviceLost)
    from mashup_worker.models.device import is_device_lost  # loads torch

    return is_device_lost(error)
