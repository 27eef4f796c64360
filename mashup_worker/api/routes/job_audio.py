"""Audio in the results of mashup and master jobs, with waveforms and frame indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request, Response

from mashup_worker.api.context import ApiContext, Context, Reader
from mashup_worker.api.frame_indexes import frame_index_response
from mashup_worker.api.parameters import JobId
from mashup_worker.api.routes.files import AUDIO, FRAME_INDEX, WAVEFORM
from mashup_worker.api.routes.jobs import find_job
from mashup_worker.api.serving import object_response
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.api.access.callers import Caller

router = APIRouter(tags=["jobs"])


@router.head("/jobs/{job_id}/audio", include_in_schema=False)
@router.get("/jobs/{job_id}/audio", response_class=Response, responses=AUDIO)
def get_job_audio(job_id: JobId, request: Request, context: Context, caller: Reader) -> Response:
    """Return the audio file of a mashup or master, or one range of its bytes."""
    audio = _stored(context, caller, job_id, "audio")
    return object_response(request, context.storage, audio["key"])


@router.head("/jobs/{job_id}/peaks", include_in_schema=False)
@router.get("/jobs/{job_id}/peaks", response_class=Response, responses=WAVEFORM)
def get_job_peaks(job_id: JobId, request: Request, context: Context, caller: Reader) -> Response:
    """Return the waveform of a mashup or master for players, in the JSON of audiowaveform."""
    audio = _stored(context, caller, job_id, "audio")
    return object_response(request, context.storage, audio["peaks_key"])


@router.head("/jobs/{job_id}/frames", include_in_schema=False)
@router.get("/jobs/{job_id}/frames", response_class=Response, responses=FRAME_INDEX)
def get_job_frames(job_id: JobId, request: Request, context: Context, caller: Reader) -> Response:
    """Return the frame index of a mashup or master in FLAC."""
    audio = _stored(context, caller, job_id, "audio")
    return frame_index_response(request, context, audio["key"])


@router.head("/jobs/{job_id}/unmastered", include_in_schema=False)
@router.get("/jobs/{job_id}/unmastered", response_class=Response, responses=AUDIO)
def get_unmastered(job_id: JobId, request: Request, context: Context, caller: Reader) -> Response:
    """Return a mashup before mastering, in FLAC, or one range of its bytes."""
    audio = _stored(context, caller, job_id, "unmastered")
    return object_response(request, context.storage, audio["key"])


@router.head("/jobs/{job_id}/unmastered/peaks", include_in_schema=False)
@router.get("/jobs/{job_id}/unmastered/peaks", response_class=Response, responses=WAVEFORM)
def get_unmastered_peaks(
    job_id: JobId, request: Request, context: Context, caller: Reader
) -> Response:
    """Return the waveform of a mashup before mastering, in the JSON of audiowaveform."""
    audio = _stored(context, caller, job_id, "unmastered")
    return object_response(request, context.storage, audio["peaks_key"])


@router.head("/jobs/{job_id}/unmastered/frames", include_in_schema=False)
@router.get("/jobs/{job_id}/unmastered/frames", response_class=Response, responses=FRAME_INDEX)
def get_unmastered_frames(
    job_id: JobId, request: Request, context: Context, caller: Reader
) -> Response:
    """Return the frame index of a mashup before mastering."""
    audio = _stored(context, caller, job_id, "unmastered")
    return frame_index_response(request, context, audio["key"])


def _stored(
    context: ApiContext, caller: Caller, job_id: UUID, name: Literal["audio", "unmastered"]
) -> dict[str, Any]:
    """Return a `StoredAudio` in the output of a job.

    Raises:
        NotFound: the caller may see no job with this id, or its output has no such audio.
    """
    with context.transaction(caller) as connection:
        job = find_job(connection, job_id)
    audio = job.output_data.get(name) if isinstance(job.output_data, dict) else None
    if not isinstance(audio, dict):
        raise NotFound(f"job {job_id}: has no {name} in its output")
    return audio
