"""Answers that stream objects of the store."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from anyio import CancelScope, to_thread
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from mashup_worker.errors import NotFound, StorageFailed
from mashup_worker.storage.objects import media_type

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastapi import Request
    from starlette.datastructures import Headers
    from starlette.types import Send

    from mashup_worker.storage.objects import Storage, StoredObject

logger = logging.getLogger(__name__)

_STALL_S = 60.0
"""Longest time in which a client takes no byte."""

_RANGE = re.compile(r"bytes=([0-9]{0,30})-([0-9]{0,30})")

SAFETY = {
    # Objects come from users: a browser must never run one as a page of our origin.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox",
}


def object_response(
    request: Request, storage: Storage, key: str, *, download_name: str | None = None
) -> Response:
    """Return the answer to a GET or HEAD request for an object, or for one range of its bytes.

    It blocks while it asks the store for the size of the object, so call it in a thread; the
    bytes are streamed afterwards.

    Args:
        request: request, whose conditions and range are obeyed. Other kinds of `Range` than one
            range of bytes are ignored.
        storage: store of the object.
        key: key of the object, whose suffix decides the media type. The caller of the request must
            have the right to read it.
        download_name: name under which browsers save the file in place of showing it.

    Raises:
        NotFound: the object does not exist.
        StorageFailed: the store is unavailable.
    """
    found = storage.head(key)
    if found is None:
        raise NotFound("file: not found")
    headers = _headers(found, download_name)
    if _is_known(request.headers, headers.get("ETag")):
        return Response(status_code=304, headers=headers)
    content_type = media_type(key)
    start, stop = 0, found.bytes
    if request.method == "HEAD":
        headers["Content-Length"] = str(stop)
        return Response(headers=headers, media_type=content_type)
    part = _range(request.headers, headers, found.bytes)
    if part is not None:
        start, stop = part
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.bytes}"
    headers["Content-Length"] = str(stop - start)
    return BlockStream(
        storage.read_range(key, start, stop),
        status_code=200 if part is None else 206,
        headers=headers,
        media_type=content_type,
    )


def content_disposition(name: str) -> str:
    """Return the header with which browsers save a file under a name (RFC 6266, RFC 5987)."""
    name = "".join(letter if letter.isprintable() else "_" for letter in name)
    plain = name.encode("ascii", "replace").decode().translate(str.maketrans('"\\?%', "____"))
    extended = quote(name.encode(errors="replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"


class BlockStream(StreamingResponse):
    """Answer whose blocks are read in threads, and whose generator is closed in every case.

    No block is empty. The first is read before the status is sent.
    """

    def __init__(
        self,
        blocks: Generator[bytes],
        *,
        status_code: int,
        headers: dict[str, str],
        media_type: str,
    ) -> None:
        super().__init__((), status_code, headers, media_type)
        self.blocks = blocks

    async def stream_response(self, send: Send) -> None:
        """Send the blocks; end early, which closes the connection, if they can't be had or sent."""
        try:
            # So that a store that fails is answered with its error.
            block = await to_thread.run_sync(next, self.blocks, b"")
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while block:
                async with asyncio.timeout(_STALL_S):
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                block = await self._next_block()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            logger.info("download ended: the client took no byte for %g s", _STALL_S)
        except _Interrupted as error:
            logger.warning("download ended: %s", error.__cause__)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self.blocks.close)

    async def _next_block(self) -> bytes:
        try:
            return await to_thread.run_sync(next, self.blocks, b"")
        except StorageFailed as error:
            raise _Interrupted from error


class _Interrupted(Exception):
    """The store failed after the start of the answer."""


def _headers(found: StoredObject, download_name: str | None) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private",
        "Last-Modified": format_datetime(found.modified_at.astimezone(UTC), usegmt=True),
        **SAFETY,
    }
    if found.sha256:
        headers["ETag"] = f'"{found.sha256}"'
    if download_name is not None:
        headers["Content-Disposition"] = content_disposition(download_name)
    return headers


def _is_known(asked: Headers, etag: str | None) -> bool:
    """Return whether the client has the object already."""
    known = [tag.strip().removeprefix("W/") for tag in asked.get("If-None-Match", "").split(",")]
    return "*" in known or (etag is not None and etag in known)


def _range(asked: Headers, headers: dict[str, str], size: int) -> tuple[int, int] | None:
    """Return start and stop of the range that a client asks for; None for the whole object.

    Raises:
        HTTPException: 416, as the object has no byte of the range.
    """
    match = _RANGE.fullmatch(asked.get("Range", "").strip())
    condition = asked.get("If-Range")
    if match is None or match[0] == "bytes=-":
        return None
    if condition is not None and condition not in (headers.get("ETag"), headers["Last-Modified"]):
        return None
    if not match[1]:
        start, stop = max(0, size - int(match[2])), size
    else:
        start, stop = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= size:
        raise HTTPException(
            416, f"Range: the file has {size} bytes", {"Content-Range": f"bytes */{size}"}
        )
    return start, stop
