"""Exports of songs for DJ programs and DAWs, and the files of jobs that have them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from mashup_worker.api.context import Context, Reader, Writer
from mashup_worker.api.creation import create_job, repeat_job
from mashup_worker.api.documents import JobCreated
from mashup_worker.api.job_inputs import IdempotencyKey
from mashup_worker.api.parameters import JobId
from mashup_worker.api.routes.creation import CREATED, accepted
from mashup_worker.api.routes.files import file_answers
from mashup_worker.api.routes.jobs import CREATED_FROM_ENDED, find_job
from mashup_worker.api.routes.songs import SongId
from mashup_worker.api.routes.stems import song_names
from mashup_worker.api.serving import object_response
from mashup_worker.db import songs
from mashup_worker.described import DescribedModel
from mashup_worker.errors import NotFound
from mashup_worker.queue.job_inputs import AnalyzeInput
from mashup_worker.system.names import safe_name
from mashup_worker.vocabulary import EXPORTS, ExportName

router = APIRouter(tags=["songs"])

Format = Annotated[ExportName, Path(description="Format of the file.")]
Name = Annotated[
    str | None, Query(max_length=200, description="Start of the name of the saved file.")
]

_FILE = file_answers("*/*", {"type": "string", "format": "binary"})


class ExportRequest(DescribedModel):
    """Formats to write a song in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"formats": ["dawproject"]}]})

    formats: Annotated[
        list[ExportName], Field(min_length=1, max_length=len(EXPORTS), examples=[["dawproject"]])
    ]


@router.post("/songs/{song_id}/exports", **CREATED)
def export_song(
    song_id: SongId,
    body: ExportRequest,
    response: Response,
    context: Context,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> JobCreated:
    """Write the stems of a song as files for DJ programs and DAWs, by a job of type `analyze`.

    The files have the analysis of the song, as its user corrected it. The output of the job names
    them in `exports`.
    """
    with context.transaction(caller) as connection:
        song = songs.find(connection, song_id)
        stems = songs.stems(connection, [song_id])[song_id]
    if not stems:
        raise NotFound(f"song {song_id}: has no stems")
    document: dict[str, Any] = {
        "stems": {stem.kind: stem.storage_key for stem in stems},
        "export": list(dict.fromkeys(body.formats)),
        "title": song_names(song)[0],
    }
    # Strict validation accepts lists as tuples in JSON only.
    request = AnalyzeInput.model_validate_json(json.dumps(document))
    job = create_job(context, caller, request, idempotency_key=idempotency_key)
    return accepted(response, context, job.id)


@router.post("/jobs/{job_id}/exports", **CREATED_FROM_ENDED)
def export_job(
    job_id: JobId,
    body: ExportRequest,
    response: Response,
    context: Context,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
) -> JobCreated:
    """Repeat a completed mashup or master, and write the result as files for DJ programs and DAWs.

    The output of the new job names the files in `exports`. The same input and seed give the same
    mashup.
    """
    job = repeat_job(context, caller, job_id, idempotency_key=idempotency_key, export=body.formats)
    return accepted(response, context, job.id)


@router.head("/jobs/{job_id}/exports/{format}", include_in_schema=False)
@router.get("/jobs/{job_id}/exports/{format}", response_class=Response, responses=_FILE)
def get_export(
    job_id: JobId,
    format: Format,  # noqa: A002 - its name in the path
    request: Request,
    context: Context,
    caller: Reader,
    name: Name = None,
) -> Response:
    """Return the file of a job in a format for DJ programs or DAWs."""
    with context.transaction(caller) as connection:
        job = find_job(connection, job_id)
    output = job.output_data if isinstance(job.output_data, dict) else {}
    found = [one for one in output.get("exports") or () if one.get("format") == format]
    if not found:
        raise NotFound(f"job {job_id}: has no {format} in its output")
    key = str(found[0]["key"])
    file = key.rpartition("/")[2]
    if name is not None:
        file = f"{safe_name(name)} - {format}{file.removeprefix(f'export-{format}')}"
    return object_response(request, context.storage, key, download_name=file)
