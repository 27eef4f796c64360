"""Uploaded files in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from mashup_worker.api.replicate.documents import File, FileUrls
from mashup_worker.api.replicate.file_keys import FileKey, files_prefix, owner_of
from mashup_worker.api.replicate.ids import not_found, short_id, uuid_of
from mashup_worker.storage.objects import media_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from mashup_worker.api.context import ApiContext
    from mashup_worker.api.forms import FormFile
    from mashup_worker.storage.objects import StoredObject


def new_key(user_id: UUID | None, file: FormFile) -> FileKey:
    """Return the key for a received file."""
    return FileKey(
        owner=owner_of(user_id), id=short_id(uuid4()), sha256=file.sha256, name=file.name
    )


def find_file(
    context: ApiContext, user_id: UUID | None, file_id: str
) -> tuple[StoredObject, FileKey]:
    """Return a file of a user, or of the service.

    Raises:
        NotFound: the caller has no such file.
        StorageFailed: the store is unavailable.
    """
    uuid_of(file_id, "file")
    prefix = f"{files_prefix(owner_of(user_id))}{file_id}/"
    found = next(_files(context, prefix), None)
    if found is None:
        raise not_found(file_id, "file")
    return found


def files_of(context: ApiContext, user_id: UUID | None) -> list[tuple[StoredObject, FileKey]]:
    """Return all files of a user, or of the service, newest first.

    Raises:
        StorageFailed: the store is unavailable.
    """
    files = _files(context, files_prefix(owner_of(user_id)))
    return sorted(files, key=lambda file: (file[0].modified_at, file[1].id), reverse=True)


def _files(context: ApiContext, prefix: str) -> Iterator[tuple[StoredObject, FileKey]]:
    for found in context.storage.list(prefix):
        key = FileKey.read(found.key)
        if key is not None:
            yield found, key


def document_of(context: ApiContext, found: StoredObject, key: FileKey) -> File:
    """Return the document of a stored file."""
    return File(
        id=key.id,
        name=key.name,
        content_type=media_type(key.name),
        size=found.bytes,
        etag=key.sha256,
        checksums={"sha256": key.sha256},
        metadata={},
        created_at=found.modified_at,
        urls=FileUrls(get=key.url(context.url)),
    )
