"""Predictions: separations in the form of Replicate."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request

from mashup_worker.api.bodies import allow_body
from mashup_worker.api.context import Context, Reader, Writer
from mashup_worker.api.links import link
from mashup_worker.api.pages import Cursor, from_cursor, next_cursor
from mashup_worker.api.parameters import Name, Owner, PredictionId, Time
from mashup_worker.api.problems import Problem
from mashup_worker.api.replicate.bodies import JsonBody
from mashup_worker.api.replicate.creation import PredictionRequest, asked_prediction
from mashup_worker.api.replicate.creation import create_prediction as create
from mashup_worker.api.replicate.documents import Prediction, PredictionPage, prediction_of
from mashup_worker.api.replicate.headers import deadline_s_of, wait_s_of
from mashup_worker.api.replicate.ids import not_found, uuid_of
from mashup_worker.api.replicate.versions import version_of_model
from mashup_worker.api.replicate.waiting import job_after
from mashup_worker.db import jobs, predictions
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext
    from mashup_worker.api.replicate.versions import HostedVersion
    from mashup_worker.db.jobs import Job

router = APIRouter(tags=["predictions"])

_PAGE = 100
_CANCEL_WAIT_S = 2.0
"""Wait for the end of a canceled prediction: a queued one ends at once."""


_CREATED: dict[str, Any] = {
    "status_code": 201,
    "responses": {
        402: {"model": Problem, "description": "The limit of the user's tier is reached"},
        408: {"model": Problem, "description": "The body arrived too slowly"},
        413: {"model": Problem, "description": "The body, or the song in it, is too large"},
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": PredictionRequest.model_json_schema()}},
        }
    },
}
"""Options of routes that create a prediction."""

Prefer = Annotated[
    str | None, Header(description="`wait`, or `wait=n` to wait n seconds for the result.")
]
CancelAfter = Annotated[
    str | None, Header(description="Time after which to cancel, as 90s, 5m or 1h30m45s.")
]


@router.post("/predictions", **_CREATED)
async def create_prediction(
    request: Request,
    context: Context,
    caller: Writer,
    prefer: Prefer = None,
    cancel_after: CancelAfter = None,
) -> Prediction:
    """Separate a song with a version of a hosted model.

    A prediction that is not done at the end of the wait is `starting`, even if it runs.
    """
    return await _create(request, context, caller, None, prefer, cancel_after)


@router.post("/models/{owner}/{name}/predictions", **_CREATED)
async def create_prediction_of_model(
    owner: Owner,
    name: Name,
    request: Request,
    context: Context,
    caller: Writer,
    prefer: Prefer = None,
    cancel_after: CancelAfter = None,
) -> Prediction:
    """Separate a song with a hosted model."""
    version = version_of_model(owner, name)
    return await _create(request, context, caller, version, prefer, cancel_after)


@router.get("/predictions")
def list_predictions(
    context: Context,
    caller: Reader,
    cursor: Cursor = None,
    created_after: Annotated[
        Time | None, Query(description="Only predictions from this time on.")
    ] = None,
    created_before: Annotated[
        Time | None, Query(description="Only predictions from before this time.")
    ] = None,
) -> PredictionPage:
    """Return the caller's predictions, newest first."""
    last = None if cursor is None else from_cursor(cursor, tuple[datetime, UUID])
    with context.transaction(caller) as connection:
        found = predictions.page(
            connection,
            last=last,
            created_after=created_after,
            created_before=created_before,
            limit=_PAGE + 1,
        )
    shown = [_document(context, job) for job in found[:_PAGE]]
    cursor = next_cursor(found, _PAGE, lambda job: (job.created_at, job.id))
    following = None
    if cursor is not None:
        filters = {"created_after": created_after, "created_before": created_before}
        query = {name: at.isoformat() for name, at in filters.items() if at is not None}
        query["cursor"] = cursor
        following = f"{context.url}/v1/predictions?{urlencode(query)}"
    return PredictionPage(next=following, results=[one for one in shown if one is not None])


@router.get("/predictions/{prediction_id}")
def get_prediction(prediction_id: PredictionId, context: Context, caller: Reader) -> Prediction:
    """Return a prediction."""
    return _shown(context, prediction_id, _find(context, caller, prediction_id))


@router.post("/predictions/{prediction_id}/cancel")
async def cancel_prediction(
    prediction_id: PredictionId, context: Context, caller: Writer
) -> Prediction:
    """Cancel a prediction, and return it; one that has ended stays as it is."""
    job = await to_thread.run_sync(_cancel, context, caller, prediction_id)
    return _shown(context, prediction_id, await job_after(context, caller, job, _CANCEL_WAIT_S))


async def _create(
    request: Request,
    context: ApiContext,
    caller: Caller,
    version: HostedVersion | None,
    prefer: str | None,
    cancel_after: str | None,
) -> Prediction:
    wait_s, deadline_s = wait_s_of(prefer), deadline_s_of(cancel_after)
    settings = context.settings
    allow_body(request, settings.api.max_body_bytes)
    with (
        context.scratch.folder() as folder,
        JsonBody(folder / "file", settings.inputs.max_fetch_bytes) as body,
    ):
        async for block in request.stream():
            body.feed(block)
        asked = asked_prediction(body.document(), version, settings.worker.model)
        file = body.file if body.is_file(asked.audio) else None
        job = await create(context, caller, asked, file, deadline_s)
    if wait_s:
        job = await job_after(context, caller, job, wait_s)
    shown = _document(context, job)
    assert shown is not None  # noqa: S101 - just inserted as a prediction
    if wait_s and not job.is_terminal:
        # Clients take any other status of an answer that waited for the end.
        return shown.model_copy(update={"status": "starting", "started_at": None})
    return shown


def _find(context: ApiContext, caller: Caller, prediction_id: str) -> Job:
    job_id = uuid_of(prediction_id, "prediction")
    with context.transaction(caller) as connection:
        job = jobs.find(connection, job_id)
    if job is None:
        raise not_found(prediction_id, "prediction")
    return job


def _cancel(context: ApiContext, caller: Caller, prediction_id: str) -> Job:
    job = _find(context, caller, prediction_id)
    _shown(context, prediction_id, job)  # other jobs are not canceled here
    if job.is_terminal:
        return job
    try:
        with context.transaction(caller) as connection:
            return jobs.request_cancel(connection, job.id)
    except InvalidInput:  # it has just ended
        return _find(context, caller, prediction_id)


def _shown(context: ApiContext, prediction_id: str, job: Job) -> Prediction:
    shown = _document(context, job)
    if shown is None:
        raise not_found(prediction_id, "prediction")
    return shown


def _document(context: ApiContext, job: Job) -> Prediction | None:
    lifetime_s = context.settings.storage.url_expiry_s

    def link_of(key: str, name: str) -> str:
        return link(context, key, name, lifetime_s).url

    return prediction_of(job, url=context.url, link=link_of)
