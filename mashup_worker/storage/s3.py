"""Object store in a bucket of an S3-compatible service, through boto3.

The configuration disables the checksums that boto3 adds since 1.36: R2, B2, GCS and others refuse
them or store them inside the object. Instead each upload carries an MD5, which every service
checks, and its SHA-256 as metadata.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mashup_worker.errors import InvalidInput, MashupError, StorageFailed, TooLarge
from mashup_worker.storage.objects import (
    READ_BLOCK_BYTES,
    Link,
    StoredObject,
    UploadTicket,
    check_key,
    check_source_key,
    key_below,
    not_found,
    printable,
    s3_parts,
    too_short,
    url_below,
)
from mashup_worker.storage.writing import too_large, write_capped

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from mashup_worker.settings import StorageSettings

_IMMUTABLE = "public, max-age=31536000, immutable"
"""Cache-Control of most objects, which never change."""

_NO_CACHE = "no-cache"

_MAX_BYTES = 5 << 30
"""Limit of a single PUT request."""

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5, 60
_TRIES = 5
_CONNECTIONS = 16
_PAGE = 1_000

_NO_KEY = ("404", "NoSuchKey", "NotFound")
_BEYOND_END = ("416", "InvalidRange")
_REFUSED_KEY = ("400", "InvalidArgument", "InvalidRequest", "InvalidURI", "KeyTooLongError")
_REFUSALS = (
    "401",
    "403",
    "AccessDenied",
    "ExpiredToken",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "Unauthorized",
)
"""Error codes whose messages may contain accounts and keys."""


class S3Storage:
    """Objects of one bucket. Implements `Storage`. boto3 finds the credentials.

    Raises:
        InvalidInput: the bucket is missing, or the endpoint is invalid.
    """

    def __init__(self, settings: StorageSettings) -> None:
        if settings.s3_bucket is None:
            raise InvalidInput("S3_BUCKET: not set")
        self._bucket = settings.s3_bucket
        self._base = settings.public_base_url
        self._expiry_s = max(1, int(settings.url_expiry_s))
        self._client = _client(settings)
        self._bases = self._base_urls(settings)

    def put(
        self, key: str, path: Path, *, content_type: str, sha256: str, changes: bool = False
    ) -> StoredObject:
        """Write a file atomically; `modified_at` is the time of this machine."""
        with self._storage_errors(key), path.open("rb") as file:
            size = path.stat().st_size
            if size > _MAX_BYTES:
                raise TooLarge(f"{key}: larger than the limit of 5 GiB")
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
            file.seek(0)
            self._client.put_object(
                Bucket=self._bucket,
                Key=check_key(key),
                Body=file,
                ContentMD5=base64.b64encode(md5.digest()).decode(),
                ContentType=content_type,
                CacheControl=_NO_CACHE if changes else _IMMUTABLE,
                Metadata={"sha256": sha256},
            )
        return StoredObject(key=key, bytes=size, sha256=sha256, modified_at=datetime.now(UTC))

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file."""
        with self._storage_errors(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=check_source_key(key))
            # `with answer["Body"]` would return the raw stream, which does not check its length.
            with closing(answer["Body"]) as body:
                if max_bytes is not None and answer["ContentLength"] > max_bytes:
                    raise too_large(printable(key), max_bytes)

                def read(count: int) -> bytes:
                    with self._storage_errors(key):
                        block: bytes = body.read(count)  # raises if the body is too short
                        return block

                write_capped(read, target, name=printable(key), max_bytes=max_bytes)

    def read_range(self, key: str, start: int, stop: int) -> Generator[bytes]:
        """Yield a part of an object in blocks, as they arrive."""
        with self._storage_errors(key):
            if start >= stop:  # HTTP has no empty ranges
                return
            answer = self._client.get_object(
                Bucket=self._bucket, Key=check_source_key(key), Range=f"bytes={start}-{stop - 1}"
            )
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] != stop - start:
                    raise too_short(key)
                while block := body.read(READ_BLOCK_BYTES):  # raises if the body is too short
                    yield block

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def head(self, key: str) -> StoredObject | None:
        """Return the metadata of an object."""
        from botocore.exceptions import ClientError

        with self._storage_errors(key):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=check_source_key(key))
            except ClientError as error:
                if error.response["Error"]["Code"] in _NO_KEY:
                    return None
                raise
        return StoredObject(
            key=key,
            bytes=answer["ContentLength"],
            sha256=answer["Metadata"].get("sha256"),
            modified_at=answer["LastModified"],
        )

    def copy(self, source_key: str, target_key: str) -> StoredObject:
        """Copy an object with its metadata inside the store."""
        with self._storage_errors(source_key):
            self._client.copy_object(
                Bucket=self._bucket,
                Key=check_key(target_key),
                CopySource={"Bucket": self._bucket, "Key": check_source_key(source_key)},
            )
        found = self.head(target_key)
        if found is None:
            raise StorageFailed(f"{target_key}: missing after the copy")
        return found

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        for key in keys:
            # One by one: stores disagree about the checksum of requests for many.
            with self._storage_errors(key):
                self._client.delete_object(Bucket=self._bucket, Key=check_source_key(key))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys start with a prefix."""
        paginator = self._client.get_paginator("list_objects_v2")
        options = {"PageSize": _PAGE}
        pages = iter(
            paginator.paginate(Bucket=self._bucket, Prefix=prefix, PaginationConfig=options)
        )
        while True:
            with self._storage_errors(prefix):
                page: dict[str, Any] | None = next(pages, None)
            if page is None:
                return
            for one in page.get("Contents", ()):
                yield StoredObject(
                    key=one["Key"], bytes=one["Size"], sha256=None, modified_at=one["LastModified"]
                )

    def link(self, key: str) -> Link:
        """Return a URL for an object."""
        if self._base is not None:
            return Link(url_below(self._base, key))
        expires_at = datetime.now(UTC) + timedelta(seconds=self._expiry_s)
        with self._storage_errors(key):
            url = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": check_key(key)},
                ExpiresIn=self._expiry_s,
            )
        return Link(url, expires_at)

    def ticket(self, key: str, *, size: int, content_type: str, lifetime_s: float) -> UploadTicket:
        """Return a presigned PUT request, whose size and media type are signed."""
        expires_at = datetime.now(UTC) + timedelta(seconds=lifetime_s)
        with self._storage_errors(key):
            url = self._client.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": check_key(key),
                    "ContentLength": size,
                    "ContentType": content_type,
                },
                ExpiresIn=max(1, int(lifetime_s)),
            )
        headers = {"Content-Length": str(size), "Content-Type": content_type}
        return UploadTicket(url, headers, expires_at)

    def key_of(self, address: str) -> str | None:
        """Return the key in a public, presigned, plain or `s3://` URL of this store."""
        parts = s3_parts(address)
        if parts is not None:
            bucket, key = parts
            return check_source_key(key) if key and bucket == self._bucket else None
        found = (key_below(base, address) for base in self._bases)
        return next((key for key in found if key is not None), None)

    def _base_urls(self, settings: StorageSettings) -> tuple[str, ...]:
        """Return all base URLs of the store's objects, the longest first."""
        endpoints = [self._client.meta.endpoint_url.rstrip("/")]
        if settings.s3_endpoint_url is None:
            endpoints += ["https://s3.amazonaws.com"]
            endpoints += [f"https://s3.{settings.s3_region}.amazonaws.com"]
        bases = [self._base] if self._base is not None else []
        for endpoint in endpoints:
            scheme, _, rest = endpoint.partition("://")
            bases += [f"{endpoint}/{self._bucket}", f"{scheme}://{self._bucket}.{rest}"]
        return tuple(sorted(bases, key=len, reverse=True))

    @contextmanager
    def _storage_errors(self, key: str) -> Iterator[None]:
        """Convert errors of boto3 and its libraries to errors of one line with the key."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except MashupError:
            raise
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _NO_KEY:
                raise not_found(key) from error
            if code in _BEYOND_END:
                raise too_short(key) from error
            if code in _REFUSED_KEY and not _is_plain(key):
                raise InvalidInput(f"{printable(key)}: the store accepts no such key") from error
            raise StorageFailed(f"{printable(key)}: {self._reason(error, code)}") from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StorageFailed(f"{printable(key)}: {_one_line(error)}") from error

    def _reason(self, error: Any, code: str) -> str:
        if code in _REFUSALS:
            return f"access to bucket {self._bucket} refused ({code}); check the credentials"
        if code == "NoSuchBucket":
            return f"bucket {self._bucket} not found"
        message = " ".join(error.response["Error"].get("Message", "").split())
        return f"the store answered {code}: {message}" if message else f"the store answered {code}"


def _is_plain(key: str) -> bool:
    """Return whether every store accepts a key."""
    try:
        return check_key(key) == key
    except InvalidInput:
        return False


def _client(settings: StorageSettings) -> Any:
    import boto3.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    if settings.s3_endpoint_url is not None and "@" in urlsplit(settings.s3_endpoint_url).netloc:
        raise InvalidInput("S3_ENDPOINT_URL: contains credentials; use AWS_ACCESS_KEY_ID")
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        max_pool_connections=_CONNECTIONS,
    )
    try:
        # A session of its own, since creating clients from a shared session is not thread-safe.
        return boto3.session.Session().client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            config=config,
        )
    except (ValueError, BotoCoreError) as error:
        raise InvalidInput(f"S3 at {settings.s3_endpoint_url or 'Amazon'}: {error}") from error


def _one_line(error: Exception) -> str:
    message = " ".join(str(error).split()) or type(error).__name__
    # An error about an invalid header quotes the header, which may contain the access key.
    return type(error).__name__ if "Credential=" in message else message
