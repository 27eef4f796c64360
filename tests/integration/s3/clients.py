"""Clients of the server that tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashup_worker.stack.seaweed import S3Keys, s3_client
from mashup_worker.storage.s3 import S3Storage

if TYPE_CHECKING:
    from mashup_worker.settings import StorageSettings
    from mashup_worker.stack.info import StackInfo


def changed(settings: StorageSettings, **values: Any) -> S3Storage:
    return S3Storage(settings.model_copy(update=values))


def raw(services: StackInfo) -> Any:
    keys = S3Keys(services.access_key, services.secret_key, signing_key="")
    return s3_client(services.s3_endpoint_url, keys)
