"""Jobs: their list, state, cancellation and repetition."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from mashup_worker.api.context import Context, Reader, Writer
from mashup_worker.api.creation import repeat_job
from mashup_worker.api.documents import JobCreated, JobDocument, JobSummary
from mashup_worker.api.job_inputs import IdempotencyKey
from mashup_worker.api.pages import Cursor, Limit, Page, from_cursor, next_cursor
from mashup_worker.api.parameters import JobId
from mashup_worker.api.problems import Problem
from mashup_worker.api.routes.creation import CREATED, accepted
from mashup_worker.db import jobs
from mashup_worker.db.jobs import Status
from mashup_worker.errors import NotFound
from mashup_worker.vocabulary import JobType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext
    from mashup_worker.db.database import Connection
    from mashup_worker.db.jobs import Job

router = APIRouter(tags=["jobs"])

ENDED: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "The job has ended"}
}
_OPEN = {409: {"model": Problem, "description": "The job has not ended"}}
CREATED_FROM_ENDED = {**CREATED, "responses": {**CREATED["responses"], **_OPEN}}


class JobPage(Page[JobSummary]):
    """Jobs, newest first."""


@router.get("/jobs")
def list_jobs(
    context: Context,
    caller: Reader,
    status: Annotated[Status | None, Query(description="Only jobs with this status.")] = None,
    job_type: Annotated[JobType | None, Query(description="Only jobs of this type.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> JobPage:
    """Return the caller's jobs without their inputs and results, the newest first."""
    return job_page(context, caller, status=status, job_type=job_type, limit=limit, cursor=cursor)


def job_page(
    context: ApiContext,
    caller: Caller,
    *,
    status: Status | None,
    job_type: JobType | None,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """Return jobs that a caller may see, the newest first."""
    after = None if cursor is None else from_cursor(cursor, tuple[datetime, UUID])
    with context.transaction(caller) as connection:
        found = jobs.page(
            connection, status=status, job_type=job_type, after=after, limit=limit + 1
        )
    items = [JobSummary.model_validate(row) for row in found[:limit]]
    following = next_cursor(found, limit, lambda row: (row["created_at"], row["id"]))
    return JobPage(items=items, next=following)


@router.get("/jobs/{job_id}", response_model=JobDocument)
async def get_job(job_id: JobId, context: Context, caller: Reader) -> Response:
    """Return a job with its input and result."""
    return _shown(job_id, await context.select(caller, "jobs.shown", id=job_id))


@router.get("/mashup/ai/{job_id}", response_model=JobDocument)
async def get_mashup_job(job_id: JobId, context: Context, caller: Reader) -> Response:
    """Return a mashup job with its input and result."""
    found = await context.select(caller, "jobs.shown", id=job_id)
    return _shown(job_id, [row for row in found if row["job_type"] == "mashup"])


def _shown(job_id: UUID, found: Sequence[Mapping[str, Any]]) -> Response:
    if not found:
        raise NotFound(f"job {job_id}: not found")
    return Response(JobDocument.json_of(found[0]), media_type="application/json")


@router.post("/jobs/{job_id}/cancel", status_code=status.HTTP_202_ACCEPTED, responses=ENDED)
def cancel_job(job_id: JobId, context: Context, caller: Writer) -> JobDocument:
    """Request the cancellation of a job: a queued job ends at once, a running one in seconds."""
    with context.transaction(caller) as connection:
        return JobDocument.of(jobs.request_cancel(connection, job_id))


@router.post("/jobs/{job_id}/retry", **CREATED_FROM_ENDED)
def retry_job(
    job_id: JobId,
    response: Response,
    context: Context,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> JobCreated:
    """Create a copy of an ended job."""
    job = repeat_job(context, caller, job_id, idempotency_key=idempotency_key)
    return accepted(response, context, job.id)


def find_job(connection: Connection, job_id: UUID) -> Job:
    """Return a job that the caller may see.

    Raises:
        NotFound: the caller may see no job with this id.
    """
    job = jobs.find(connection, job_id)
    if job is None:
        raise NotFound(f"job {job_id}: not found")
    return job
