"""Streams of changes of a job, as server-sent events."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from mashup_worker.api.context import Context, Reader
from mashup_worker.api.documents import JobEvent
from mashup_worker.api.events import JobEvents, StreamEnded
from mashup_worker.api.parameters import JobId
from mashup_worker.db.jobs import TERMINAL
from mashup_worker.errors import NotFound
from mashup_worker.queue.status import StatusView

router = APIRouter(tags=["jobs"])

HEARTBEAT_S = 15.0
"""Interval of comment lines, which keep proxies from closing the connection."""

_LONGEST_STREAM_S = 3_600.0
"""Time after which a client must connect again, with a token that is still valid."""

_EVENT_ID = re.compile(r"(\d{1,9})-(\d{1,9})(?:-[\w.-]*)?", re.ASCII)

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_EVENT = {
    "type": "object",
    "description": "One event of the stream.",
    "required": ["data", "id"],
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/JobEvent"},
        },
        "id": {"type": "string", "description": "To be sent as `Last-Event-ID`."},
    },
}

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "model": JobEvent,  # for the components of the document
        "description": "Events, each with a `JobEvent` as `data`",
        "content": {
            "text/event-stream": {
                "schema": _EVENT,
                "example": {
                    "data": '{"status": "processing", "stage": "separate", "progress": 45, '
                    '"attempt": 1, "error_code": null, "error_message": null}',
                    "id": "1-45-separate",
                },
            }
        },
    },
    204: {"description": "The job has ended, and the client has its last event"},
}


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse, responses=_STREAM)
async def follow_job(
    job_id: JobId,
    context: Context,
    caller: Reader,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Last event that was received.")
    ] = None,
) -> Response:
    """Stream the state of a job and its changes until it ends."""
    rows = await context.select(caller, "jobs.states", ids=[job_id])
    if not rows:
        raise NotFound(f"job {job_id}: not found")
    state = StatusView.from_row(rows[0])
    is_known = _is_known(state, last_event_id)
    if is_known and state.status in TERMINAL:
        return Response(status_code=204)  # on which an EventSource does not connect again
    stream = _stream(context.events, state, is_known=is_known)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def _stream(events: JobEvents, state: StatusView, *, is_known: bool) -> AsyncIterator[bytes]:
    end_s = time.monotonic() + _LONGEST_STREAM_S
    with events.follow(state) as follower:
        if not is_known:
            yield _event(state)
        while state.status not in TERMINAL and time.monotonic() < end_s:
            try:
                new = await follower.next(HEARTBEAT_S)
            except StreamEnded:
                return
            yield format_sse_event(comment="") if new is None else _event(new)
            state = new or state


def _event(state: StatusView) -> bytes:
    data = JobEvent.model_validate(state).model_dump_json()
    return format_sse_event(data_str=data, id=_event_id(state))


def _event_id(state: StatusView) -> str:
    stage = re.sub(r"[^\w.-]", "", state.stage or "", flags=re.ASCII)
    return f"{state.attempt}-{state.sequence}" + (f"-{stage}" if stage else "")


def _is_known(state: StatusView, last_event_id: str | None) -> bool:
    """Return whether a client has received a state, or a newer one that Postgres lacks yet."""
    found = _EVENT_ID.fullmatch(last_event_id or "")
    if found is None:
        return False
    order = int(found[1]), int(found[2])
    return order > state.order or _event_id(state) == last_event_id
