"""Files behind signed links."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from mashup_worker.api.context import Context
from mashup_worker.api.links import key_of_link
from mashup_worker.api.serving import object_response

router = APIRouter(tags=["files"])

BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {
        "description": "The range of the file that the header `Range` asks for",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "The client has the file, by its header `If-None-Match`"},
    416: {"description": "The file has no byte of the range"},
}
"""Answers of routes that return `object_response`."""


@router.head("/files/{token}/{name}", include_in_schema=False)
@router.get("/files/{token}/{name}", response_class=Response, responses=BYTES)
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
