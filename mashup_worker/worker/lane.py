"""A lane: one process with its models ready, that answers doorbells until it is told to stop."""

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
from mashup_worker.errors import OutOfMemory
from mashup_worker.queue.doorbell import queue_of
from mashup_worker.queue.redis_client import connect
from mashup_worker.worker.attempt import Attempt, claim
from mashup_worker.worker.doorbell_worker import DoorbellWorker, StopWaiting

if TYPE_CHECKING:
    from types import FrameType
    from uuid import UUID

    from mashup_worker.worker.attempt import Tools

logger = logging.getLogger(__name__)

_BLOCKING_TIMEOUT_S = 40.0
_LONGEST_PAUSE_S = 5.0
_POISON = ("cuda error", "device-side assert", "acceleratorerror")
"""What torch says when a process can't use its device any more."""


class Lane:
    """Answers the doorbells of one class of workers.

    Args:
        tools: what attempts need.
        worker_class: whose queue it listens to.
    """

    def __init__(self, tools: Tools, worker_class: str) -> None:
        self._tools, self._class = tools, worker_class
        self._url = tools.settings.connections.redis_url
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._stopping = threading.Event()
        self._attempt: Attempt | None = None
        self._worker: DoorbellWorker | None = None
        self._rounds = 0
        self._is_broken = False

    def run(self) -> bool:
        """Work until stopped; false where the process must be replaced.

        An outage of Redis or Postgres is waited out, with the models kept.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        pause_s = 0.25
        while not self._stopping.is_set() and not self._is_broken:
            try:
                self._listen()
                pause_s = 0.25
            except (StopWaiting, StopRequested):
                break
            except (redis.RedisError, *OUTAGES) as error:
                logger.warning("%s; again in %.1f s", reason_of(error), pause_s)
                self._stopping.wait(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
        return not self._is_broken

    def _listen(self) -> None:
        """Answer doorbells until told to stop, or until Redis goes away."""
        assert self._url is not None, "a worker has a queue"  # noqa: S101
        self._tools.redis.ping()
        with connect(self._url.get_secret_value(), timeout_s=_BLOCKING_TIMEOUT_S) as connection:
            self._rounds += 1
            self._worker = DoorbellWorker(
                queue_of(self._class, connection),
                connection,
                f"{self.worker_id}-{self._rounds}",
                self._answer,
                self._tools.settings.attempts.job_timeout_s,
                lambda: self._stopping.is_set() or self._is_broken,
            )
            self._worker.work(logging_level=None)

    def _answer(self, job_id: UUID) -> None:
        job = self._claim(job_id)
        if job is None:
            return
        self._attempt = Attempt(self._tools, job)
        if self._stopping.is_set():  # the signal came between the doorbell and here
            self._attempt.hand_back()
        error = self._attempt.run()
        self._attempt = None
        self._clean_up(error)

    def _claim(self, job_id: UUID) -> jobs.Job | None:
        pause_s, in_doubt = 0.25, False
        while not self._stopping.is_set():
            try:
                claimed = claim(self._tools, job_id, self.worker_id)
                if claimed is not None or not in_doubt:
                    return claimed
                # The COMMIT before may have arrived although nobody said so.
                with self._tools.database.transaction() as connection:
                    job = jobs.find(connection, job_id)
            except OUTAGES as error:
                logger.warning("claiming %s: %s", job_id, reason_of(error))
                in_doubt = True
                self._stopping.wait(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
            else:
                ours = job is not None and job.status == "processing"
                return job if ours and job and job.worker_id == self.worker_id else None
        return None

    def _clean_up(self, error: Exception | None) -> None:
        if error is None:
            return
        text = f"{type(error).__name__} {error} {error.__cause__}".lower()
        if isinstance(error, OutOfMemory | MemoryError):
            gc.collect()
            release = getattr(self._tools.models, "release", None)
            if release is not None:
                release()
        elif any(sign in text for sign in _POISON):
            logger.error("the device can't be used any more by this process: ending it")
            self._is_broken = True
            if self._worker is not None:
                self._worker.end()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """The first time: finish, within the grace, and stop. The second time: hand back now."""
        attempt = self._attempt
        if self._stopping.is_set():
            logger.warning("stopping now (%s)", signal.Signals(number).name)
            if attempt is not None:
                attempt.hand_back()
            elif self._worker is not None:
                self._worker.end()
            return
        self._stopping.set()
        logger.info("stopping (%s)", signal.Signals(number).name)
        if attempt is not None:
            grace = threading.Timer(self._tools.settings.attempts.stop_grace_s, attempt.hand_back)
            grace.daemon = True
            grace.start()
        if self._worker is not None:
            self._worker.end()
