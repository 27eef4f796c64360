"""Jobs: their state."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import APIRouter

from mashup_worker.api.context import Context, Reader
from mashup_worker.api.documents import JobDocument
from mashup_worker.db import jobs
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from mashup_worker.db.database import Connection
    from mashup_worker.db.jobs import Job

router = APIRouter(tags=["jobs"])


@router.get("/jobs/{job_id}")
def get_job(job_id: UUID, context: Context, caller: Reader) -> JobDocument:
    """Return a job with its result."""
    with context.transaction(caller) as connection:
        return JobDocument.of(find_job(connection, job_id))


def find_job(connection: Connection, job_id: UUID) -> Job:
    """Return a job that the caller may see.

    Raises:
        NotFound: the caller may see no job with this id.
    """
    job = jobs.find(connection, job_id)
    if job is None:
        raise NotFound(f"job {job_id}: not found")
    return job
