"""Frame indexes of FLAC files in the store, made where no worker wrote them."""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing, contextmanager
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from starlette.responses import Response

from mashup_worker.api.serving import object_response
from mashup_worker.audio.player_names import frame_index_name
from mashup_worker.errors import (
    InvalidInput,
    MashupError,
    NotFound,
    ServiceUnavailable,
    StorageFailed,
)
from mashup_worker.storage.objects import media_type
from mashup_worker.vocabulary import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

    from mashup_worker.api.context import ApiContext
    from mashup_worker.storage.objects import Storage

logger = logging.getLogger(__name__)

_MAKERS = BoundedSemaphore(2)
"""Files that are indexed at the same time: each keeps a processor core busy."""

_LOCKS = tuple(Lock() for _ in range(64))
"""Each file has one of them, so that it is indexed once while several requests wait."""

_LONGEST_WAIT_S = 20.0


def frame_index_response(request: Request, context: ApiContext, key: str) -> Response:
    """Return the answer to a request for the frame index of an audio file.

    An index that is missing is made from the file and stored beside it. It blocks, so call it in a
    thread.

    Args:
        request: request for the index.
        context: services.
        key: key of the audio file, which the caller of the request must have the right to read.

    Raises:
        NotFound: the file does not exist, is no FLAC file, or is damaged.
        ServiceUnavailable: too many files are being indexed.
        StorageFailed: the store is unavailable.
    """
    if media_type(key) != FORMATS["flac"].media_type:
        raise NotFound("frame index: the audio is no FLAC file")
    storage, index_key = context.storage, frame_index_name(key)
    if storage.head(index_key) is None:
        with _turn(_LOCKS[hash(key) % len(_LOCKS)]):
            if storage.head(index_key) is None:
                with _turn(_MAKERS):
                    document = _document(storage, key, context.settings.inputs.max_fetch_bytes)
                if not _is_stored(context, key, document):
                    return Response(document, media_type="application/json")
    return object_response(request, storage, index_key)


def _document(storage: Storage, key: str, max_bytes: int) -> bytes:
    from mashup_worker.audio.frame_index import index_frames  # needs NumPy, which the API does not

    found = storage.head(key)
    if found is None:
        raise NotFound("file: not found")
    if found.bytes > max_bytes:
        raise NotFound(f"frame index: the file has {found.bytes} bytes, more than {max_bytes}")
    try:
        with closing(storage.read_range(key, 0, found.bytes)) as blocks:
            return index_frames(blocks).as_json()
    except InvalidInput as error:
        raise NotFound(f"frame index: {error.message}") from error


def _is_stored(context: ApiContext, key: str, document: bytes) -> bool:
    """Store the index of a file; return whether it is there."""
    storage, index_key = context.storage, frame_index_name(key)
    try:
        with context.scratch.folder() as folder:
            path = folder / "index"
            path.write_bytes(document)
            storage.put(
                index_key,
                path,
                content_type=media_type(index_key),
                sha256=hashlib.sha256(document).hexdigest(),
            )
        is_left = storage.head(key) is not None
        if not is_left:  # a takedown that deleted the file meanwhile may have overlooked the index
            storage.delete([index_key])
    except (InvalidInput, StorageFailed, OSError) as error:
        reason = error.message if isinstance(error, MashupError) else error
        logger.warning("frame index: not stored: %s", reason)
        return False
    if not is_left:
        raise NotFound("file: not found")
    return True


@contextmanager
def _turn(lock: Lock | BoundedSemaphore) -> Iterator[None]:
    if not lock.acquire(timeout=_LONGEST_WAIT_S):
        raise ServiceUnavailable("frame index: too many files are being read; try again later")
    try:
        yield
    finally:
        lock.release()
