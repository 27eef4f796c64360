"""Files behind signed links."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from mashup_worker.api.context import Context
from mashup_worker.api.links import key_of_link
from mashup_worker.api.problems import Problem
from mashup_worker.api.serving import object_response

router = APIRouter(tags=["files"])

_TEXT = {"schema": {"type": "string"}}
_BYTES = {"type": "string", "format": "binary"}
_HEADERS = {"Accept-Ranges": _TEXT, "ETag": _TEXT, "Last-Modified": _TEXT}
_COUNTS = ("version", "channels", "sample_rate", "samples_per_pixel", "bits", "length")
_WAVEFORM = {
    "type": "object",
    "required": [*_COUNTS, "data"],
    "properties": {
        **{name: {"type": "integer"} for name in _COUNTS},
        "data": {
            "type": "array",
            "description": "Lowest and highest sample of each pixel.",
            "items": {"type": "integer"},
        },
    },
}
_INTEGERS = ("sample_rate_hz", "channels", "bits", "samples", "frame_samples")
_FRAME_INDEX = {
    "type": "object",
    "required": [*_INTEGERS, "stream_info", "offsets"],
    "properties": {
        **{name: {"type": "integer"} for name in _INTEGERS},
        "stream_info": {
            "type": "string",
            "contentEncoding": "base64",
            "description": "STREAMINFO of the file, 34 bytes.",
        },
        "offsets": {
            "type": "array",
            "description": "Position of each frame in bytes, and size of the file.",
            "items": {"type": "integer"},
        },
    },
}


def file_answers(media_type: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the answers of routes that return `object_response`, for OpenAPI."""
    return {
        200: {
            "description": "The file",
            "content": {media_type: {"schema": schema}},
            "headers": _HEADERS,
        },
        206: {
            "description": "The range of the file that the header `Range` asks for",
            "content": {media_type: {"schema": _BYTES}},
            "headers": _HEADERS | {"Content-Range": _TEXT},
        },
        304: {"description": "The client has the file, by its header `If-None-Match`"},
        416: {"model": Problem, "description": "The file has no byte of the range"},
    }


AUDIO = file_answers("audio/*", _BYTES)
WAVEFORM = file_answers("application/json", _WAVEFORM)
FRAME_INDEX = file_answers("application/json", _FRAME_INDEX)


@router.head("/files/{token}/{name}", include_in_schema=False)
@router.get("/files/{token}/{name}", response_class=Response, responses=file_answers("*/*", _BYTES))
def get_file(
    request: Request,
    context: Context,
    token: Annotated[str, Path(description="Object of the store.", max_length=2_000)],
    name: Annotated[str, Path(description="Name of the file.", max_length=1_000)],
    expires: Annotated[int, Query(description="End of the link, in seconds since 1970.")],
    sig: Annotated[str, Query(description="Signature of the link.", max_length=200)],
) -> Response:
    """Return a file behind a link of this API, without a token.

    Obeys `Range` with one range of bytes, `If-Range` and `If-None-Match`.
    """
    key = key_of_link(context, token, name, expires, sig)
    return object_response(request, context.storage, key)
