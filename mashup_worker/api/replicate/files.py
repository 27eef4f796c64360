"""Uploaded files in the store."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mashup_worker.api.replicate.documents import File, FileUrls
from mashup_worker.api.replicate.file_keys import FileKey, files_prefix, owner_of
from mashup_worker.api.replicate.ids import not_found, uuid_of
from mashup_worker.storage.objects import media_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from mashup_worker.api.context import ApiContext
    from mashup_worker.api.replicate.bodies import ReceivedFile
    from mashup_worker.storage.objects import StoredObject


def store_file(
    context: ApiContext, user_id: UUID | None, received: ReceivedFile, name: str
) -> StoredObject:
    """Write a received file to the store.

    Raises:
        StorageFailed: the store is unavailable.
    """
    key = FileKey.new(user_id, uuid4(), received.sha256, name)
    received.content.flush()
    return context.storage.put(
        str(key),
        Path(f"/dev/fd/{received.content.fileno()}"),
        content_type=media_type(Path(key.name)),
        sha256=received.sha256,
    )


def find_file(context: ApiContext, user_id: UUID | None, file_id: str) -> StoredObject:
    """Return a file of a user, or of the service.

    Raises:
        NotFound: the caller has no such file.
        StorageFailed: the store is unavailable.
    """
    uuid_of(file_id, "file")
    prefix = f"{files_prefix(owner_of(user_id))}{file_id}/"
    for found in islice(context.storage.list(prefix), 1):
        return found
    raise not_found(file_id, "file")


def files_of(context: ApiContext, user_id: UUID | None) -> list[tuple[StoredObject, FileKey]]:
    """Return all files of a user, or of the service, newest first.

    Raises:
        StorageFailed: the store is unavailable.
    """
    return sorted(
        _files(context, user_id), key=lambda file: (file[0].modified_at, file[1].id), reverse=True
    )


def _files(context: ApiContext, user_id: UUID | None) -> Iterator[tuple[StoredObject, FileKey]]:
    for found in context.storage.list(files_prefix(owner_of(user_id))):
        key = FileKey.read(found.key)
        if key is not None:
            yield found, key


def document_of(context: ApiContext, found: StoredObject) -> File:
    """Return the document of a stored file."""
    key = FileKey.read(found.key)
    assert key is not None  # noqa: S101 - found by its prefix
    return File(
        id=key.id,
        name=key.name,
        content_type=media_type(Path(key.name)),
        size=found.bytes,
        etag=key.sha256,
        checksums={"sha256": key.sha256},
        metadata={},
        created_at=found.modified_at,
        urls=FileUrls(get=key.url(context.url)),
    )
