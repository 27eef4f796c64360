"""Creation of jobs."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response, status

from mashup_worker.api.access.callers import Caller
from mashup_worker.api.context import ApiContext, Context, Writer
from mashup_worker.api.creation import create_job as create
from mashup_worker.api.documents import JobCreated
from mashup_worker.api.job_inputs import IdempotencyKey, MashupBody, NewJob, SeparateBody
from mashup_worker.api.problems import Problem
from mashup_worker.queue.job_inputs import JobInput

router = APIRouter(tags=["jobs"])

CREATED: dict[str, Any] = {
    "status_code": status.HTTP_202_ACCEPTED,
    "responses": {
        202: {
            "description": "The job is queued",
            "headers": {"Location": {"description": "Its address", "schema": {"type": "string"}}},
        },
        402: {"model": Problem, "description": "The limit of the user's tier is reached"},
        409: {"model": Problem, "description": "The idempotency key was used for other work"},
        413: {"model": Problem, "description": "The body is too large"},
    },
}
"""Options of routes that create a job."""


@router.post("/audio/separate", **CREATED)
def separate_audio(
    body: SeparateBody,
    response: Response,
    context: Context,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> JobCreated:
    """Separate a song into stems, and analyze it."""
    return _created(body, response, context, caller, idempotency_key)


@router.post("/mashup/ai", **CREATED)
def make_mashup(
    body: MashupBody,
    response: Response,
    context: Context,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> JobCreated:
    """Make a mashup of stems and whole songs."""
    return _created(body, response, context, caller, idempotency_key)


@router.post("/jobs", **CREATED)
def create_job(
    body: Annotated[NewJob, Body()],
    response: Response,
    context: Context,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> JobCreated:
    """Create a job of any type."""
    return _created(body.input, response, context, caller, idempotency_key)


def _created(
    request: JobInput,
    response: Response,
    context: ApiContext,
    caller: Caller,
    idempotency_key: str | None,
) -> JobCreated:
    job = create(context, caller, request, idempotency_key=idempotency_key)
    return accepted(response, context, job.id)


def accepted(response: Response, context: ApiContext, job_id: UUID) -> JobCreated:
    """Return the answer to a request that created a job, and set its address."""
    response.headers["Location"] = f"{context.url}/api/jobs/{job_id}"
    return JobCreated(job_id=job_id)
