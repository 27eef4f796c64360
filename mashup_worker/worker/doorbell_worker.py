"""RQ's part of a lane: waits at one queue and answers doorbells, nothing else.

RQ's own ways of running, timing, retrying and cleaning up are left out, because each of them would
import and call whatever a Redis entry names, and because Postgres decides all that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from rq import SimpleWorker
from rq.serializers import JSONSerializer
from rq.worker.base import WorkerStatus

from mashup_worker.queue.doorbell import job_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from redis import Redis
    from rq import Queue
    from rq.job import Job as RqJob

logger = logging.getLogger(__name__)

_WORKER_TTL_S = 30
_LONGEST_PAUSE_S = 2.0
_AFTER_JOB_S = 120


class StopWaiting(Exception):
    """Raised by a signal handler while the worker waits for a doorbell."""


class DoorbellWorker(SimpleWorker):
    """Answers doorbells of one queue.

    Args:
        queue: the one queue.
        connection: to Redis, of its own, for blocking.
        name: unique among workers.
        answer: does the job of an id.
        longest_job_s: how long it may be busy without a word to Redis.
        is_stopping: whether to leave the loop; asked before each wait.
    """

    max_connection_wait_time = _LONGEST_PAUSE_S

    def __init__(
        self,
        queue: Queue,
        connection: Redis,
        name: str,
        answer: Callable[[UUID], None],
        longest_job_s: float,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._answer = answer
        self._busy_ttl_s = round(longest_job_s) + _AFTER_JOB_S
        self._is_stopping = is_stopping
        self.is_waiting = False
        super().__init__(
            [queue],
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=_WORKER_TTL_S,
            default_result_ttl=0,
        )

    def end(self) -> None:
        """Leave the loop after the job under way, or at once; for signal handlers."""
        self._stop_requested = True
        if self.is_waiting:
            raise StopWaiting

    def bootstrap(self, *_arguments: Any, **_keywords: Any) -> None:
        """Only what a dashboard shows: no log handlers, and no channel that takes commands."""
        self.register_birth()  # type: ignore[no-untyped-call]
        self.set_state(WorkerStatus.STARTED)

    def run_maintenance_tasks(self) -> None:
        """Nothing: RQ's would call what entries in Redis name, and leases decide instead."""

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Never."""
        return False

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[RqJob, Queue] | None:
        """Wait for a doorbell, where a signal may end the waiting."""
        self.is_waiting = True
        try:
            if self._stop_requested or self._is_stopping():
                raise StopWaiting
            return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
        finally:
            self.is_waiting = False

    def execute_job(self, job: RqJob, queue: Queue) -> None:
        """Take the doorbell away, and answer it if it is one."""
        # Away before the work: RQ has nothing to remember of it, and a doorbell that is lost in
        # between is rung again.
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            pipeline.delete(job.key)
            pipeline.execute()
        job_id = job_of(job)
        if job_id is None:
            logger.error("entry %s of queue %s is no doorbell: dropped", job.id, queue.name)
            return
        self.set_state(WorkerStatus.BUSY)
        self.heartbeat(self._busy_ttl_s)
        try:
            self._answer(job_id)
        except Exception:  # RQ would end its loop for it, and say nothing
            logger.exception("job %s", job_id)
        finally:
            self.set_state(WorkerStatus.IDLE)

    def _install_signal_handlers(self) -> None:
        """The lane has handlers of its own."""
