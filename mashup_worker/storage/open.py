"""Selection of the store by the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from mashup_worker.settings import StorageSettings
    from mashup_worker.storage.objects import Storage


def open_storage(settings: StorageSettings) -> Storage:
    """Return the store of the settings, without connecting.

    Raises:
        InvalidInput: the settings name no store.
    """
    if settings.storage_url is not None:
        from mashup_worker.storage.folder import FolderStorage

        folder = Path(unquote(urlsplit(settings.storage_url).path))
        return FolderStorage(folder, settings.public_base_url)
    if settings.s3_bucket is None:
        raise InvalidInput("store: not set; set S3_BUCKET, or STORAGE_URL=file:///…")
    from mashup_worker.storage.s3 import S3Storage

    return S3Storage(settings)
