"""RQ worker that waits at one queue and passes wake-ups on.

RQ's own execution, timeouts, retries and clean-up are disabled: they would import and call any
function that an entry in Redis names, and Postgres decides all of that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from rq import SimpleWorker
from rq.serializers import JSONSerializer
from rq.worker.base import WorkerStatus

from mashup_worker.queue.wakeups import job_id_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from redis import Redis
    from rq import Queue
    from rq.job import Job as RqJob

logger = logging.getLogger(__name__)

_WORKER_TTL_S = 30
_MAX_PAUSE_S = 2.0
_AFTER_JOB_S = 120


class StopWaiting(Exception):
    """Raised by a signal handler to end the wait for a wake-up."""


class RqWorker(SimpleWorker):
    """Worker of one queue.

    Args:
        connection: connection to Redis for blocking commands, not shared.
        on_wakeup: called with the job of each wake-up.
        max_job_s: longest time between two signs of life in Redis while a job runs.
        is_stopping: whether to leave the loop; called before each wait.
    """

    max_connection_wait_time = _MAX_PAUSE_S

    def __init__(
        self,
        queue: Queue,
        connection: Redis,
        name: str,
        *,
        on_wakeup: Callable[[UUID], None],
        max_job_s: float,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._on_wakeup = on_wakeup
        self._busy_ttl_s = round(max_job_s) + _AFTER_JOB_S
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

    def stop(self) -> None:
        """Leave the loop after the current job, or now if waiting. For signal handlers.

        Raises:
            StopWaiting: the worker is waiting.
        """
        self._stop_requested = True
        if self.is_waiting:
            raise StopWaiting

    def bootstrap(self, *_arguments: Any, **_keywords: Any) -> None:
        """Register the worker for dashboards, without log handlers and command channel."""
        self.register_birth()  # type: ignore[no-untyped-call]
        self.set_state(WorkerStatus.STARTED)

    def run_maintenance_tasks(self) -> None:
        """Skip RQ's maintenance, which would call functions that entries in Redis name."""

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """False."""
        return False

    def unsubscribe(self) -> None:
        """Do nothing, since `bootstrap` subscribes to no channel."""

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[RqJob, Queue] | None:
        """Wait for an entry; a signal may end the wait.

        Raises:
            StopWaiting: the worker must stop.
        """
        self.is_waiting = True
        try:
            if self._stop_requested or self._is_stopping():
                raise StopWaiting
            return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
        finally:
            self.is_waiting = False

    def execute_job(self, job: RqJob, queue: Queue) -> None:
        """Delete the entry, and run its job if it is a wake-up."""
        # Before the work: RQ keeps no record, and the mirror repeats a wake-up that gets lost here.
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            pipeline.delete(job.key)
            pipeline.execute()
        job_id = job_id_of(job)
        if job_id is None:
            logger.error("queue %s: entry %s is not a wake-up; dropped", queue.name, job.id)
            return
        self.set_state(WorkerStatus.BUSY)
        self.heartbeat(self._busy_ttl_s)
        try:
            self._on_wakeup(job_id)
        except Exception:  # RQ would leave its loop without a log line
            logger.exception("job %s", job_id)
        finally:
            self.set_state(WorkerStatus.IDLE)

    def _install_signal_handlers(self) -> None:
        """Do nothing, since the worker process has its own handlers."""
