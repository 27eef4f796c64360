"""Files: songs for predictions, uploaded on their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import AwareDatetime

from mashup_worker.api.context import Context, Reader, Writer
from mashup_worker.api.pages import Cursor, from_cursor, to_cursor
from mashup_worker.api.parameters import FileId
from mashup_worker.api.problems import Problem
from mashup_worker.api.replicate.documents import File, FilePage
from mashup_worker.api.replicate.files import document_of, files_of, find_file, new_key
from mashup_worker.api.uploads import received, stored

router = APIRouter(tags=["predictions"])

_PAGE = 100

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["content"],
                    "properties": {"content": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}

_REFUSED: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The body arrived too slowly"},
    413: {"model": Problem, "description": "The file is larger than the limit for inputs"},
}


@router.post("/files", status_code=201, responses=_REFUSED, openapi_extra=_FORM)
async def create_file(request: Request, context: Context, caller: Writer) -> File:
    """Store a song from the field `content` of a form; other fields are dropped."""
    async with received(request, context, caller, field="content") as file:
        key = new_key(caller.user_id, file)
        async with stored(file, str(key), context):
            found = await to_thread.run_sync(find_file, context, caller.user_id, key.id)
            return document_of(context, *found)


@router.get("/files")
def list_files(context: Context, caller: Reader, cursor: Cursor = None) -> FilePage:
    """Return the caller's files, newest first."""
    found = files_of(context, caller.user_id)
    if cursor is not None:
        last = from_cursor(cursor, tuple[AwareDatetime, str])
        found = [file for file in found if (file[0].modified_at, file[1].id) < last]
    following = None
    if len(found) > _PAGE:
        end, key = found[_PAGE - 1]
        query = urlencode({"cursor": to_cursor(end.modified_at, key.id)})
        following = f"{context.url}/v1/files?{query}"
    return FilePage(next=following, results=[document_of(context, *file) for file in found[:_PAGE]])


@router.get("/files/{file_id}")
def get_file_document(file_id: FileId, context: Context, caller: Reader) -> File:
    """Return a file, without its bytes."""
    return document_of(context, *find_file(context, caller.user_id, file_id))


@router.delete("/files/{file_id}", status_code=204)
def delete_file(file_id: FileId, context: Context, caller: Writer) -> None:
    """Delete a file; jobs that have not read it fail."""
    found, _ = find_file(context, caller.user_id, file_id)
    context.storage.delete([found.key])
