"""A bucket of an S3-compatible store, through boto3.

The configuration leaves out the checksums that boto3 adds by itself since 1.36: R2, B2, GCS and
others refuse them, or keep them inside the object. What is written carries an MD5 on the wire,
which every store compares, and its SHA-256 as metadata.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mashup_worker.errors import InvalidInput, MashupError, StorageFailed, TooLarge
from mashup_worker.storage.objects import Link, StoredObject, check_key, probe
from mashup_worker.storage.urls import key_below, url_below
from mashup_worker.storage.writing import too_large, write_capped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mashup_worker.settings import StorageSettings

_FOREVER = "public, max-age=31536000, immutable"
"""Most objects are never changed, so players and caches may keep them."""

_NOT_AT_ALL = "no-cache"

_LARGEST_BYTES = 5 << 30
"""One request takes no more."""

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 5, 60
_TRIES = 5
_CONNECTIONS = 16
_PAGE = 1_000

_NO_KEY = ("404", "NoSuchKey", "NotFound")
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
"""Answers whose own words may name accounts and keys."""


class S3Storage:
    """Objects of one bucket. A `Storage`.

    Args:
        settings: endpoint, bucket, region, and how links are made. Credentials come from where
            boto3 looks for them.

    Raises:
        InvalidInput: the settings name no bucket, or no such endpoint can be.
    """

    def __init__(self, settings: StorageSettings) -> None:
        if settings.s3_bucket is None:
            raise InvalidInput("S3_BUCKET is not set")
        self._bucket = settings.s3_bucket
        self._base = settings.public_base_url
        self._expiry_s = max(1, int(settings.url_expiry_s))
        self._client = _client(settings)
        self._bases = self._addresses(settings)

    def put(
        self, key: str, path: Path, *, content_type: str, sha256: str, changes: bool = False
    ) -> StoredObject:
        """Write a file, whole or not at all. The time it gives is this machine's."""
        with self._told(key), path.open("rb") as file:
            size = path.stat().st_size
            if size > _LARGEST_BYTES:
                raise TooLarge(f"{key}: more than 5 GiB")
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
            file.seek(0)
            self._client.put_object(
                Bucket=self._bucket,
                Key=check_key(key),
                Body=file,
                ContentMD5=base64.b64encode(md5.digest()).decode(),
                ContentType=content_type,
                CacheControl=_NOT_AT_ALL if changes else _FOREVER,
                Metadata={"sha256": sha256},
            )
        return StoredObject(key, size, sha256, datetime.now(UTC))

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file."""
        with self._told(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=check_key(key))
            # Not `with answer["Body"]`, which gives the raw stream, one that may end too early.
            with closing(answer["Body"]) as body:
                if max_bytes is not None and answer["ContentLength"] > max_bytes:
                    raise too_large(key, max_bytes)

                def read(count: int) -> bytes:
                    with self._told(key):
                        block: bytes = body.read(count)  # raises where the body ends too early
                        return block

                write_capped(read, target, key, max_bytes)

    def head(self, key: str) -> StoredObject | None:
        """What is known of an object."""
        from botocore.exceptions import ClientError

        with self._told(key):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=check_key(key))
            except ClientError as error:
                if error.response["Error"]["Code"] in _NO_KEY:
                    return None
                raise
        sha256 = answer["Metadata"].get("sha256")
        return StoredObject(key, answer["ContentLength"], sha256, answer["LastModified"])

    def copy(self, source_key: str, target_key: str) -> StoredObject:
        """Write an object's bytes under another key too, inside the store."""
        with self._told(source_key):
            self._client.copy_object(
                Bucket=self._bucket,
                Key=check_key(target_key),
                CopySource={"Bucket": self._bucket, "Key": check_key(source_key)},
            )
        there = self.head(target_key)
        if there is None:
            raise StorageFailed(f"{target_key}: copied, but not there")
        return there

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects."""
        for key in keys:
            # One by one: the request for many needs a checksum that not every store agrees on.
            with self._told(key):
                self._client.delete_object(Bucket=self._bucket, Key=check_key(key))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin so."""
        paginator = self._client.get_paginator("list_objects_v2")
        options = {"PageSize": _PAGE}
        pages = iter(
            paginator.paginate(Bucket=self._bucket, Prefix=prefix, PaginationConfig=options)
        )
        while True:
            with self._told(prefix):
                page: dict[str, Any] | None = next(pages, None)
            if page is None:
                return
            for one in page.get("Contents", ()):
                yield StoredObject(one["Key"], one["Size"], None, one["LastModified"])

    def link(self, key: str) -> Link:
        """A URL that reads an object."""
        if self._base is not None:
            return Link(url_below(self._base, key))
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
        bucket, slash, key = address.removeprefix("s3://").partition("/")
        if address.startswith("s3://"):
            return check_key(key) if slash and bucket == self._bucket else None
        found = (key_below(base, address) for base in self._bases)
        return next((key for key in found if key is not None), None)

    def check(self) -> None:
        """Make sure that the bucket can be written."""
        probe(self)

    def _addresses(self, settings: StorageSettings) -> tuple[str, ...]:
        """All that may stand before a key in a URL, the longest first."""
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
            if code in _NO_KEY:
                raise InvalidInput(f"no object {key}") from error
            raise StorageFailed(f"{key}: {self._answer(error, code)}") from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StorageFailed(f"{key}: {_one_line(error)}") from error

    def _answer(self, error: Any, code: str) -> str:
        if code in _REFUSALS:
            return f"the store does not let us use bucket {self._bucket} so ({code})"
        if code == "NoSuchBucket":
            return f"the store has no bucket {self._bucket}"
        words = " ".join(error.response["Error"].get("Message", "").split())
        return f"the store answered {code}: {words}" if words else f"the store answered {code}"


def _client(settings: StorageSettings) -> Any:
    import boto3.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    if settings.s3_endpoint_url is not None and "@" in urlsplit(settings.s3_endpoint_url).netloc:
        raise InvalidInput("S3_ENDPOINT_URL: credentials do not belong into it")
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
        # A session of its own, since making clients from a shared one is not safe among threads.
        return boto3.session.Session().client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            config=config,
        )
    except (ValueError, BotoCoreError) as error:
        raise InvalidInput(f"S3 at {settings.s3_endpoint_url or 'Amazon'}: {error}") from error


def _one_line(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    # A header that can't be sent is quoted, and it may be the one that names the key in use.
    return type(error).__name__ if "Credential=" in words else words
