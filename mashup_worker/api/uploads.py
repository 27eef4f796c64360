"""Uploads: a file from a client, checked on disk and then put into the store.

Nothing stays behind if the client vanishes: the file is in the process's scratch folder, and its
object is deleted again unless the answer can be sent.
"""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from anyio import CancelScope, CapacityLimiter, create_task_group, from_thread, to_thread
from anyio.lowlevel import checkpoint
from starlette.requests import ClientDisconnect

from mashup_worker.api.bodies import allow_body
from mashup_worker.api.forms import OVERHEAD_BYTES, receive_file
from mashup_worker.api.replicate.file_keys import owner_of
from mashup_worker.audio.sandbox import SandboxLimits, measure_sandboxed
from mashup_worker.errors import MashupError, RateLimited, StorageFailed
from mashup_worker.storage.objects import media_type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from fastapi import Request

    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext
    from mashup_worker.api.forms import FormFile
    from mashup_worker.storage.objects import Storage
    from mashup_worker.system.scratch import Scratch

Result = TypeVar("Result")

_DECODERS = CapacityLimiter(2)
"""Files that are decoded at the same time: each keeps a processor core busy."""

_AT_ONCE = 8
"""Uploads of one user at the same time: they take space on the disk."""

_running = Counter[UUID | None]()

_JOURNAL = "key"
"""Name of the file in an upload's folder with the key of the object that is being written."""


def upload_key(user_id: UUID | None, upload_id: UUID, name: str) -> str:
    """Return the key of a user's upload, or of one of the service itself for None."""
    return f"uploads/{owner_of(user_id)}/{upload_id}/{name}"


@asynccontextmanager
async def received(
    request: Request, context: ApiContext, caller: Caller, *, field: str
) -> AsyncIterator[FormFile]:
    """Yield the file in a request's multipart body, on disk until the end of the block.

    Raises:
        InvalidInput: see `receive_file`.
        TooLarge: the file is larger than the limit for inputs.
        RateLimited: the user has too many uploads at the same time.
    """
    max_bytes = context.settings.inputs.max_fetch_bytes
    allow_body(request, max_bytes + OVERHEAD_BYTES)
    with _one_of_few(caller.user_id), context.scratch.folder() as folder:
        yield await receive_file(
            request.stream(),
            request.headers.get("Content-Type", ""),
            folder / "file",
            field=field,
            max_bytes=max_bytes,
        )


async def duration_of(file: FormFile, context: ApiContext) -> float:
    """Decode a file in the sandbox, and return its duration in seconds.

    Raises:
        UnsupportedAudio, InvalidInput: it cannot be decoded.
        TooLong, TooLarge: it exceeds a limit for inputs.
    """
    limits = SandboxLimits.of(context.settings.inputs)
    measure = partial(measure_sandboxed, on_wait=from_thread.check_cancelled)
    try:
        return await to_thread.run_sync(measure, file.path, limits, limiter=_DECODERS)
    except MashupError as error:
        raise type(error)(error.message.replace(str(file.path), file.name)) from error


@asynccontextmanager
async def stored(file: FormFile, key: str, context: ApiContext) -> AsyncIterator[None]:
    """Put a file into the store, where it stays if the block ends without an exception.

    Raises:
        StorageFailed: the store is unavailable.
    """
    journal = file.path.with_name(_JOURNAL)
    try:
        await to_thread.run_sync(_put, context.storage, file, key, journal)
        await checkpoint()  # the client may have vanished meanwhile
        yield
    except BaseException:
        with CancelScope(shield=True), suppress(StorageFailed):
            await to_thread.run_sync(context.storage.delete, [key])
        raise
    journal.unlink()


async def while_connected(request: Request, work: Callable[[], Awaitable[Result]]) -> Result:
    """Return the result of work after the request was read, which ends with its client.

    Raises:
        ClientDisconnect: the client vanished; the work was canceled.
    """
    failure: Exception = ClientDisconnect()
    async with create_task_group() as group:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            return await work()
        except Exception as error:
            failure = error
        finally:
            group.cancel_scope.cancel()
    raise failure


@contextmanager
def _one_of_few(user_id: UUID | None) -> Iterator[None]:
    """Count an upload of a user; those of the service itself are not limited.

    Raises:
        RateLimited: the user has too many uploads at the same time.
    """
    if user_id is not None and _running[user_id] >= _AT_ONCE:
        raise RateLimited(f"uploads: {_AT_ONCE} at the same time; wait for the end of one")
    _running[user_id] += 1
    try:
        yield
    finally:
        _running[user_id] -= 1
        if not _running[user_id]:
            del _running[user_id]


def remove_leftovers(scratch: Scratch, storage: Storage) -> None:
    """Remove what killed processes left: files, and objects of uploads without an answer."""

    def remove_objects(folder: Path) -> None:
        storage.delete([one.read_text("utf-8") for one in folder.glob(f"*/{_JOURNAL}")])

    scratch.remove_stale(remove_objects)


def _put(storage: Storage, file: FormFile, key: str, journal: Path) -> None:
    journal.write_text(key, "utf-8")
    storage.put(key, file.path, content_type=media_type(file.name), sha256=file.sha256)
