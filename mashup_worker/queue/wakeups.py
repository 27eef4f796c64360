"""Wake-ups of workers: RQ jobs that carry a fixed function name and the id of a job.

A wake-up may be lost or repeated. The worker that receives it claims the job in Postgres, which
decides whether the job still has to run.
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

FUNCTION = "mashup_worker.wakeup"
"""Function name of all wake-ups. No such function exists: workers compare the name and never import
what an entry in Redis names."""

_QUEUE_PREFIX = "mashup-"
_TTL_S = 86_400
_FAILURE_TTL_S = 300
_WAKEUP_ID = re.compile(r"^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+-[0-9a-f]+$")


def rq_queue(name: str, connection: Redis) -> Queue:
    """Return the RQ queue with a name of `MASHUP_QUEUES`."""
    return Queue(_QUEUE_PREFIX + name, connection=connection, serializer=JSONSerializer)


def notify(queue: Queue, job_id: UUID, *, attempt: int, job_type: str) -> None:
    """Enqueue a wake-up for a waiting job with a number of attempts so far.

    Raises:
        redis.RedisError: Redis is unreachable or refuses.
    """
    queue.enqueue_call(
        FUNCTION,
        args=(str(job_id),),
        # RQ allows letters, digits, dashes and underscores; the last part makes the id unique.
        job_id=f"{job_id}-{attempt}-{uuid4().hex[:8]}",
        description=f"{job_type} {job_id}, attempt {attempt + 1}",
        ttl=_TTL_S,
        result_ttl=0,
        failure_ttl=_FAILURE_TTL_S,
    )


def pending_wakeups(queue: Queue) -> set[UUID]:
    """Return the jobs whose wake-ups wait in a queue."""
    matches = (_WAKEUP_ID.match(wakeup_id) for wakeup_id in queue.get_job_ids())
    return {UUID(match[1]) for match in matches if match}


def job_id_of(entry: RqJob) -> UUID | None:
    """Return the job of a wake-up; None for any other entry of a queue."""
    try:
        name, arguments = entry.func_name, entry.args
        keywords: dict[str, Any] = entry.kwargs
        if name != FUNCTION or keywords or len(arguments) != 1:
            return None
        return UUID(arguments[0])
    except Exception:  # entries in Redis may have any content
        return None
