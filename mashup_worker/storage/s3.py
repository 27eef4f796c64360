"""A bucket of an S3-compatible store, through boto3.

The configuration leaves out the checksums that boto3 adds by itself since 1.36: R2, B2, GCS and
others refuse them, or keep them inside the object. What is written carries an MD5 on the wire,
which every store compares, and its SHA-256 as metadata.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from mashup_worker.errors import InvalidInput, MashupError, StorageFailed, TooLarge
from mashup_worker.storage.objects import (
    Link,
    StoredObject,
    check_key,
    too_large,
    write_capped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mashup_worker.service_settings import StorageSettings

_FOREVER = "public, max-age=31536000, immutable"
"""Objects are never changed, so players and caches may keep them."""

_LARGEST_BYTES = 5 << 30
"""One request takes no more."""

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5, 30
_TRIES = 4
_PAGE = 1_000


class S3Storage:
    """Objects of one bucket. A `Storage`.

    Args:
        settings: endpoint, bucket, region, and how links are made. Credentials come from where
            boto3 looks for them.

    Raises:
        InvalidInput: the settings name no bucket, or no such endpoint can be.
    """

    def __init__(self, settings: StorageSettings) -> None:
        import boto3
        from botocore.config import Config

        if settings.s3_bucket is None:
            raise InvalidInput("S3_BUCKET is not set")
        self._bucket = settings.s3_bucket
        self._base = settings.public_base_url.rstrip("/") if settings.public_base_url else None
        self._expiry_s = int(settings.url_expiry_s)
        try:
            self._client: Any = boto3.client(
                "s3",
                endpoint_url=settings.s3_endpoint_url,
                region_name=settings.s3_region,
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": "path"},
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    retries={"mode": "standard", "total_max_attempts": _TRIES},
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    read_timeout=_READ_TIMEOUT_S,
                    max_pool_connections=16,
                ),
            )
        except ValueError as error:
            raise InvalidInput(f"S3_ENDPOINT_URL: {error}") from error
        self._endpoint = urlsplit(self._client.meta.endpoint_url)

    def put(self, key: str, path: Path, *, content_type: str, sha256: str) -> None:
        """Write a file, whole or not at all."""
        if path.stat().st_size > _LARGEST_BYTES:
            raise TooLarge(f"{key}: more than 5 GB")
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
            file.seek(0)
            with self._told(key):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=check_key(key),
                    Body=file,
                    ContentMD5=base64.b64encode(md5.digest()).decode(),
                    ContentType=content_type,
                    CacheControl=_FOREVER,
                    Metadata={"sha256": sha256},
                )

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file."""
        with self._told(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=check_key(key))
            with answer["Body"] as body:
                if max_bytes is not None and answer["ContentLength"] > max_bytes:
                    raise too_large(key, max_bytes)
                size = write_capped(body.read, target, max_bytes, key)
            if size != answer["ContentLength"]:
                target.unlink(missing_ok=True)
                raise StorageFailed(f"{key}: the store sent {size} bytes too few or too many")

    def head(self, key: str) -> StoredObject | None:
        """What is known of an object."""
        from botocore.exceptions import ClientError

        with self._told(key):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=check_key(key))
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise
        sha256 = answer["Metadata"].get("sha256")
        return StoredObject(key, answer["ContentLength"], sha256, answer["LastModified"])

    def copy(self, source_key: str, target_key: str) -> None:
        """Write an object's bytes under another key too, inside the store."""
        with self._told(source_key):
            self._client.copy_object(
                Bucket=self._bucket,
                Key=check_key(target_key),
                CopySource={"Bucket": self._bucket, "Key": check_key(source_key)},
            )

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects."""
        for key in keys:
            # One by one: the request for many needs a checksum that not every store agrees on.
            with self._told(key):
                self._client.delete_object(Bucket=self._bucket, Key=check_key(key))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin so, by key."""
        with self._told(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, PaginationConfig={"PageSize": _PAGE}
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    yield StoredObject(one["Key"], one["Size"], None, one["LastModified"])

    def link(self, key: str) -> Link:
        """A URL that reads an object."""
        if self._base is not None:
            return Link(f"{self._base}/{quote(check_key(key))}")
        expires_at = datetime.now(UTC) + timedelta(seconds=self._expiry_s)
        with self._told(key):
            url = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": check_key(key)},
                ExpiresIn=self._expiry_s,
            )
        return Link(url, expires_at)

    def key_of(self, address: str) -> str | None:
        """The key that a URL of this store stands for: public, presigned, plain, or `s3://`."""
        if self._base is not None and address.startswith(self._base + "/"):
            return check_key(unquote(urlsplit(address[len(self._base) + 1 :]).path))
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            return None
        path = unquote(parts.path).lstrip("/")
        if parts.scheme == "s3":
            return check_key(path) if parts.netloc == self._bucket else None
        if parts.scheme != self._endpoint.scheme or port != self._endpoint.port:
            return None
        if parts.hostname == self._endpoint.hostname and path.startswith(f"{self._bucket}/"):
            return check_key(path.removeprefix(f"{self._bucket}/"))
        if parts.hostname == f"{self._bucket}.{self._endpoint.hostname}" and path:
            return check_key(path)
        return None

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Whatever boto3 and what is below it raise, as one line that names the key."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except MashupError:
            raise
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("NoSuchKey", "404"):
                raise InvalidInput(f"no object {key}") from error
            reason = error.response["Error"].get("Message") or code
            raise StorageFailed(f"{key}: {code}: {reason}") from error
        except (BotoCoreError, HTTPError, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise StorageFailed(f"{key}: {reason}") from error
