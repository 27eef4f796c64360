"""Store of objects in a bucket of a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.settings import StorageSettings
from mashup_worker.storage.s3 import S3Storage

if TYPE_CHECKING:
    from mashup_worker.stack.info import StackInfo


@pytest.fixture(autouse=True)
def _credentials(services: StackInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", services.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", services.secret_key)


@pytest.fixture
def settings(services: StackInfo, bucket: str) -> StorageSettings:
    return StorageSettings(
        s3_endpoint_url=services.s3_endpoint_url, s3_bucket=bucket, s3_region=services.region
    )


@pytest.fixture
def store(settings: StorageSettings) -> S3Storage:
    return S3Storage(settings)
