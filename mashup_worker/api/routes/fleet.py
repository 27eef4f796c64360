"""Fleet: its figures, all jobs, and pausing of its queues."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from starlette.status import HTTP_202_ACCEPTED

from mashup_worker.api.context import Context, Operator
from mashup_worker.api.creation import repeat_job
from mashup_worker.api.documents import Document, JobCreated, JobSummary
from mashup_worker.api.job_inputs import IdempotencyKey
from mashup_worker.api.pages import Cursor, Limit
from mashup_worker.api.parameters import JobId
from mashup_worker.api.routes.creation import accepted
from mashup_worker.api.routes.jobs import CREATED_FROM_ENDED, ENDED, JobPage, job_page
from mashup_worker.db import jobs, queues
from mashup_worker.db.fleet import GroupBy
from mashup_worker.db.jobs import Status
from mashup_worker.monitoring.fleet import DEFAULT_HOURS, MAX_HOURS, Fleet, read_fleet
from mashup_worker.vocabulary import JobType

if TYPE_CHECKING:
    from mashup_worker.db.queues import QueueState

router = APIRouter(prefix="/fleet", tags=["fleet"])

QueueName = Annotated[str, Path(description="Name of a queue.", examples=["gpu"])]


class QueueDocument(Document):
    """Queue, and whether its jobs start."""

    name: str = Field(examples=["gpu"])
    job_types: tuple[str, ...] = Field(examples=[["separate", "analyze", "mashup", "master"]])
    paused_at: datetime | None = Field(
        description="Time since which no job starts; null if jobs do.", examples=[None]
    )

    @classmethod
    def of(cls, queue: QueueState) -> Self:
        """Return the document of a queue."""
        return cls.model_validate(queue)


@router.get("")
def get_fleet(
    context: Context,
    caller: Operator,
    hours: Annotated[
        float, Query(gt=0, le=MAX_HOURS, description="Length of the period of `throughput`.")
    ] = DEFAULT_HOURS,
    group_by: Annotated[
        GroupBy | None, Query(description="How the figures of the period are divided.")
    ] = None,
) -> Fleet:
    """Return queues, worker processes, throughput and cost."""
    with context.transaction(caller) as connection:
        return read_fleet(
            connection, context.redis, context.settings, hours=hours, group_by=group_by
        )


@router.get("/jobs")
def list_fleet_jobs(
    context: Context,
    caller: Operator,
    status: Annotated[Status | None, Query(description="Only jobs with this status.")] = None,
    job_type: Annotated[JobType | None, Query(description="Only jobs of this type.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> JobPage:
    """Return the jobs of all users without their inputs and results, the newest first."""
    return job_page(context, caller, status=status, job_type=job_type, limit=limit, cursor=cursor)


@router.post("/jobs/{job_id}/cancel", status_code=HTTP_202_ACCEPTED, responses=ENDED)
def cancel_fleet_job(job_id: JobId, context: Context, caller: Operator) -> JobSummary:
    """Request the cancellation of any user's job."""
    with context.transaction(caller) as connection:
        return JobSummary.model_validate(jobs.request_cancel(connection, job_id))


@router.post("/jobs/{job_id}/retry", **CREATED_FROM_ENDED)
def retry_fleet_job(
    job_id: JobId,
    response: Response,
    context: Context,
    caller: Operator,
    idempotency_key: IdempotencyKey = None,
) -> JobCreated:
    """Create a copy of any user's ended job, for the same user and within the user's limits."""
    job = repeat_job(context, caller, job_id, idempotency_key=idempotency_key)
    return accepted(response, context, job.id)


@router.post("/queues/{name}/pause")
def pause_queue(name: QueueName, context: Context, caller: Operator) -> QueueDocument:
    """Start no job of a queue until it is resumed; running jobs continue."""
    with context.transaction(caller) as connection:
        paused = queues.pause(connection, name, context.settings.queue.queues)
    return QueueDocument.of(paused)


@router.post("/queues/{name}/resume")
def resume_queue(name: QueueName, context: Context, caller: Operator) -> QueueDocument:
    """Start the jobs of a queue again."""
    with context.transaction(caller) as connection:
        resumed = queues.resume(connection, name, context.settings.queue.queues)
    return QueueDocument.of(resumed)
