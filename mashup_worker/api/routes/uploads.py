"""Uploads of audio: through the API, or directly to the store with a ticket."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, Field

from mashup_worker.api.context import Context, Writer
from mashup_worker.api.documents import Document
from mashup_worker.api.forms import FormFile, safe_name
from mashup_worker.api.links import link
from mashup_worker.api.problems import Problem
from mashup_worker.api.uploads import duration_of, received, stored, upload_key, while_connected
from mashup_worker.described import DescribedModel
from mashup_worker.storage.objects import media_type
from mashup_worker.storage.writing import too_large

router = APIRouter(tags=["uploads"])

_KEY = "uploads/7f0c0ee8-1a52-4f0b-b8f5-0d1c0b0a5c3e/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed/song.mp3"
_TOO_LARGE: dict[int | str, dict[str, Any]] = {
    413: {"model": Problem, "description": "The file is larger than the limit for inputs"}
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    **_TOO_LARGE,
    408: {"model": Problem, "description": "The body arrived too slowly"},
    415: {"model": Problem, "description": "No decoder reads the file"},
}
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        }
    },
}

Key = Annotated[
    str,
    Field(description="Object of the store; may be `audio` of the user's jobs.", examples=[_KEY]),
]


class UploadDocument(Document):
    """Uploaded file."""

    url: str = Field(
        description="Link to the file, which expires.",
        examples=["https://api.example.com/v1/files/dXBsb2Fkcw/song.mp3?expires=1795827600&sig=x"],
    )
    key: Key
    filename: str = Field(
        description="Name of the file, without letters that keys must not have.",
        examples=["song.mp3"],
    )
    size: int = Field(description="Bytes of the file.", examples=[4_812_345])
    duration_s: float = Field(description="Duration of the decoded audio.", examples=[214.53])


class TicketRequest(DescribedModel):
    """File to upload to the store."""

    filename: str = Field(min_length=1, max_length=1_000, examples=["song.mp3"])
    size: int = Field(ge=1, description="Bytes of the file.", examples=[4_812_345])
    content_type: str | None = Field(
        default=None,
        pattern=r"^(audio/[\w.+-]{1,80}|video/(mp4|webm)|application/(ogg|octet-stream))$",
        description="Media type of the file; by default that of its name.",
        examples=["audio/mpeg"],
    )


class TicketDocument(Document):
    """Right to upload one file to the store."""

    method: Literal["PUT"] = "PUT"
    url: str = Field(
        description="Address for the file's bytes.",
        examples=["https://s3.example.com/bucket/uploads/…/song.mp3?X-Amz-Signature=x"],
    )
    headers: dict[str, str] = Field(
        description="Headers of the request. The store refuses other values.",
        examples=[{"Content-Length": "4812345", "Content-Type": "audio/mpeg"}],
    )
    key: Key
    expires_at: AwareDatetime = Field(
        description="Time until which the upload must start.", examples=["2026-11-28T12:15:00Z"]
    )


@router.post("/upload", status_code=201, responses=_REFUSED, openapi_extra={"requestBody": _FORM})
async def upload_file(request: Request, context: Context, caller: Writer) -> UploadDocument:
    """Store an audio file from the field `file` of a form.

    The file is decoded before it is stored, so its size, duration and format are within the limits
    for inputs of jobs.
    """

    async def keep(file: FormFile) -> UploadDocument:
        key = upload_key(caller.user_id, uuid4(), file.name)
        duration_s = await duration_of(file, context)
        async with stored(file, key, context):
            url = link(context, key, file.name, context.settings.storage.url_expiry_s).url
            return UploadDocument(
                url=url, key=key, filename=file.name, size=file.bytes, duration_s=duration_s
            )

    async with received(request, context, caller, field="file") as file:
        return await while_connected(request, lambda: keep(file))


@router.post("/uploads", status_code=201, responses=_TOO_LARGE)
def create_upload_ticket(wanted: TicketRequest, context: Context, caller: Writer) -> TicketDocument:
    """Return the right to upload a file directly to the store, with one PUT request.

    Needs a store on S3. The file is checked when a job reads it.
    """
    limit = context.settings.inputs.max_fetch_bytes
    if wanted.size > limit:
        raise too_large("file", limit)
    name = safe_name(wanted.filename)
    key = upload_key(caller.user_id, uuid4(), name)
    ticket = context.storage.ticket(
        key,
        size=wanted.size,
        content_type=wanted.content_type or media_type(name),
        lifetime_s=context.settings.api.upload_ticket_s,
    )
    return TicketDocument(
        url=ticket.url, headers=dict(ticket.headers), key=key, expires_at=ticket.expires_at
    )
