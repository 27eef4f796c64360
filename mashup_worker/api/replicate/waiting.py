"""Waiting for the end of jobs without holding a thread."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import psycopg
from anyio import to_thread

from mashup_worker.api.events import StreamEnded
from mashup_worker.db import jobs
from mashup_worker.db.database import reason_of
from mashup_worker.db.jobs import TERMINAL
from mashup_worker.errors import ServiceUnavailable
from mashup_worker.queue.status import StatusView

if TYPE_CHECKING:
    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext
    from mashup_worker.db.jobs import Job

logger = logging.getLogger(__name__)


async def job_after(context: ApiContext, caller: Caller, job: Job, timeout_s: float) -> Job:
    """Return a job once it has ended, or as it is after `timeout_s` seconds.

    It returns early when the process stops, and the job as it was in an outage: the job exists, and
    an error would let clients repeat it.
    """
    clock = asyncio.get_running_loop().time
    end_s, state = clock() + timeout_s, StatusView.from_job(job)
    with context.events.follow(state) as follower:
        while state.status not in TERMINAL and clock() < end_s:
            try:
                state = await follower.next(end_s - clock()) or state
            except StreamEnded:
                break
    try:
        return await to_thread.run_sync(_read, context, caller, job)
    except (ServiceUnavailable, psycopg.OperationalError) as error:
        logger.warning("job %s: %s", job.id, reason_of(error))
        return job


def _read(context: ApiContext, caller: Caller, job: Job) -> Job:
    with context.transaction(caller) as connection:
        found = jobs.find(connection, job.id)
    return job if found is None else found  # it was removed
