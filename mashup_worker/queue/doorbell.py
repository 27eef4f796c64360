"""Doorbells: RQ jobs that carry one fixed function name and the id of a job, and decide nothing.

A doorbell may be lost, or rung twice: whoever answers claims the job in Postgres, and finds out
there whether it is still to be done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from rq import Queue
from rq.serializers import JSONSerializer

if TYPE_CHECKING:
    from redis import Redis
    from rq.job import Job as RqJob

FUNCTION = "mashup_worker.doorbell"
"""The one function name that a worker answers to. There is no such function: workers know what it
means, and whatever else a Redis entry names is never imported."""

_PREFIX = "mashup-"
_RING_TTL_S = 86_400
_RING_ID = re.compile(r"^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+-[0-9a-f]+$")


def queue_of(worker_class: str, connection: Redis) -> Queue:
    """The RQ queue of a class of workers."""
    return Queue(_PREFIX + worker_class, connection=connection, serializer=JSONSerializer)


def ring(queue: Queue, job_id: UUID, attempt: int, job_type: str) -> None:
    """Tell the workers of a class that a job waits.

    Raises:
        redis.RedisError: Redis does not take it.
    """
    queue.enqueue_call(
        FUNCTION,
        args=(str(job_id),),
        # RQ allows letters, digits, dashes and underscores; the end makes it rings of their own.
        job_id=f"{job_id}-{attempt}-{uuid4().hex[:8]}",
        description=f"{job_type} {job_id}, attempt {attempt + 1}",
        ttl=_RING_TTL_S,
        result_ttl=0,
        failure_ttl=300,
    )


def rung(queue: Queue) -> set[UUID]:
    """The jobs whose doorbells wait to be answered."""
    matches = (_RING_ID.match(ring_id) for ring_id in queue.get_job_ids())
    return {UUID(match[1]) for match in matches if match}


def job_of(doorbell: RqJob) -> UUID | None:
    """The job that a doorbell is about; None for whatever is no doorbell."""
    try:
        name, arguments = doorbell.func_name, doorbell.args
        keywords: dict[str, Any] = doorbell.kwargs
        if name != FUNCTION or keywords or len(arguments) != 1:
            return None
        return UUID(arguments[0])
    except Exception:  # an entry of any shape may lie in Redis
        return None
