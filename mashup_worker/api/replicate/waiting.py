"""Waiting for the end of jobs without holding a thread."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import psycopg
from anyio import to_thread

from mashup_worker.db import jobs
from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext
    from mashup_worker.db.jobs import Job

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0


async def job_after(context: ApiContext, caller: Caller, job: Job, timeout_s: float) -> Job:
    """Return a job once it has ended, or as it is after `timeout_s` seconds.

    An outage only prolongs the wait: the job exists, and an error would let clients repeat it.
    """
    end_s = asyncio.get_running_loop().time() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while not job.is_terminal:
        left_s = end_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            break
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
        try:
            job = await to_thread.run_sync(_read, context, caller, job)
        except (ServiceUnavailable, psycopg.OperationalError) as error:
            logger.warning("job %s: wait continues: %s", job.id, error)
    return job


def _read(context: ApiContext, caller: Caller, job: Job) -> Job:
    with context.transaction(caller) as connection:
        found = jobs.find(connection, job.id)
    return job if found is None else found  # it was removed
