"""Interface of object stores, their selection by the settings, and rules for keys and URLs."""

from __future__ import annotations

import posixpath
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.system.digests import file_sha256
from mashup_worker.vocabulary import FORMATS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from datetime import datetime
    from urllib.parse import SplitResult

    from mashup_worker.settings import StorageSettings

PROBES_PREFIX = "probes/"
"""Prefix of the keys of test objects."""

READ_BLOCK_BYTES = 1 << 18
"""Largest block of `Storage.read_range`."""

_S3 = "s3://"
_PORTS = {"https": 443, "http": 80}
_MAX_KEY_BYTES = 900
_MAX_SOURCE_KEY_BYTES = 1024
_FORBIDDEN_CATEGORIES = ("Cc", "Cs")
"""Unicode categories of control characters and surrogates."""

_MEDIA_TYPES = {
    **{f".{name}": one.media_type for name, one in FORMATS.items()},
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".html": "text/html",
    ".m4a": "audio/mp4",
    ".zip": "application/zip",
}


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """Object in a store.

    Attributes:
        bytes: size.
        sha256: digest given by its writer; None if unknown.
        modified_at: time of the write, with time zone.
    """

    key: str
    bytes: int
    sha256: str | None
    modified_at: datetime


@dataclass(frozen=True)
class Link:
    """URL of an object, valid until `expires_at` if that is set."""

    url: str
    expires_at: datetime | None = None


@dataclass(frozen=True)
class UploadTicket:
    """Right to write one object with a PUT request that has exactly these headers."""

    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class Storage(Protocol):
    """Store of objects that are written once and rarely change. Thread-safe.

    Keys that are written obey `check_key`. Other programs write other keys: any key that
    `check_source_key` accepts can be read, copied from and deleted.
    """

    def put(
        self, key: str, path: Path, *, content_type: str, sha256: str, changes: bool = False
    ) -> StoredObject:
        """Write a file atomically.

        Its media type is that of `media_type`; its digest is stored as metadata. `changes` means
        that the object may be replaced later, so that caches must not keep it.

        Raises:
            InvalidInput: the key is invalid.
            TooLarge: the store refuses objects of this size.
            StorageFailed: the object cannot be written.
        """

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file.

        Raises:
            InvalidInput: the object does not exist.
            TooLarge: the object is larger than `max_bytes`.
            StorageFailed: the object cannot be read.
        """

    def read_range(self, key: str, start: int, stop: int) -> Generator[bytes]:
        """Yield bytes `start` up to `stop` of an object in blocks.

        The first block opens the object, and closing the generator closes it.

        Raises:
            InvalidInput: the object does not exist.
            StorageFailed: the object cannot be read, or has fewer bytes.
        """

    def close(self) -> None:
        """Close all connections to the store."""

    def head(self, key: str) -> StoredObject | None:
        """Return the metadata of an object; None if it does not exist.

        Raises:
            StorageFailed: the store is unavailable.
        """

    def copy(self, source_key: str, target_key: str) -> StoredObject:
        """Copy an object with its metadata.

        Raises:
            InvalidInput: the source does not exist.
            StorageFailed: the copy cannot be written.
        """

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are ignored.

        Raises:
            StorageFailed: an object cannot be deleted.
        """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys start with a prefix, without digests, in any order.

        Raises:
            StorageFailed: the store is unavailable.
        """

    def link(self, key: str) -> Link:
        """Return a URL for an object, which need not exist yet."""

    def ticket(self, key: str, *, size: int, content_type: str, lifetime_s: float) -> UploadTicket:
        """Return the right to write an object of `size` bytes within `lifetime_s`.

        Raises:
            InvalidInput: the key is invalid, or the store has no such rights.
        """

    def key_of(self, address: str) -> str | None:
        """Return the key in a URL of this store; None for any other address.

        Raises:
            InvalidInput: the URL belongs to this store, but its key is invalid.
        """


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


def check_store(storage: Storage, scratch: Path | None = None) -> None:
    """Check that objects can be written, read and deleted, with a file in a temporary folder.

    Raises:
        StorageFailed: they cannot; the message has the reason.
    """
    key = f"{PROBES_PREFIX}{uuid4().hex}"
    try:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            path = Path(folder, "probe")
            size = path.write_bytes(b"probe\n")
            sha256 = file_sha256(path)
            storage.put(key, path, content_type="text/plain", sha256=sha256)
    except OSError as error:
        raise StorageFailed(f"temporary file: {error.strerror or error}") from error
    found = storage.head(key)
    storage.delete([key])
    if found is None or found.bytes != size:
        raise StorageFailed("store: an object that was written cannot be found")
    if found.sha256 != sha256:
        raise StorageFailed("store: the metadata of an object was lost")


def check_key(key: str) -> str:
    """Return a key that names one object, the same in every store and in every URL.

    Raises:
        InvalidInput: the key is empty or too long, or has empty or dot segments, a backslash or
            control characters.
    """
    if (
        len(key.encode(errors="replace")) > _MAX_KEY_BYTES
        or any(part in ("", ".", "..") for part in key.split("/"))
        or any(
            letter == "\\" or unicodedata.category(letter) in _FORBIDDEN_CATEGORIES
            for letter in key
        )
    ):
        raise _invalid(key)
    return key


def check_source_key(key: str) -> str:
    """Return a key that some S3 store may have.

    Such keys may have empty and dot segments, backslashes and control characters.

    Raises:
        InvalidInput: the key is empty, too long, not Unicode, has a null character, or leads out of
            its bucket.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise _invalid(key) from None
    if not 0 < size <= _MAX_SOURCE_KEY_BYTES or "\0" in key or _leaves_bucket(key):
        raise _invalid(key)
    return key


def key_readings(key: str) -> tuple[str, ...]:
    """Return the keys of the objects that a key may denote, which depends on the store.

    Amazon takes a key literally. Stores on file systems, and proxies, read it as a path: they drop
    empty segments, resolve dot segments and may turn backslashes into slashes. Rights to a key
    must hold for every reading.
    """
    return tuple(dict.fromkeys((key, _as_path(key))))


def printable(key: str) -> str:
    """Return a key for messages: quoted and escaped if it has control characters."""
    return key if key.isprintable() else repr(key)


def not_found(key: str) -> InvalidInput:
    """Return the error for a missing object."""
    return InvalidInput(f"{printable(key)}: object not found")


def too_short(key: str) -> StorageFailed:
    """Return the error for an object with fewer bytes than the caller expects."""
    return StorageFailed(f"{printable(key)}: the object has fewer bytes than before")


def media_type(path: PurePath | str) -> str:
    """Return the media type of a file, or of the last part of a key, by its suffix."""
    return _MEDIA_TYPES.get(PurePath(path).suffix.lower(), "application/octet-stream")


def url_below(base: str, key: str) -> str:
    """Return the URL of a key below a base URL."""
    return f"{base.rstrip('/')}/{quote(check_key(key))}"


def key_below(base: str, url: str) -> str | None:
    """Return the key in a URL below a base URL, without its query; None for other URLs.

    Raises:
        InvalidInput: the URL is below the base, but its key is invalid or has dot segments, which
            some programs resolve in URLs.
    """
    try:
        ours, theirs = urlsplit(base), urlsplit(url)
        if _origin(ours) != _origin(theirs):
            return None
    except ValueError:
        return None
    home = unquote(ours.path).rstrip("/") + "/"
    path = unquote(theirs.path)
    if not path.startswith(home):
        return None
    key = check_source_key(path.removeprefix(home))
    if any(part in (".", "..") for part in key.split("/")):
        raise InvalidInput(f"{key[:80]!r}: dot segments in a URL; use s3://bucket/key")
    return key


def s3_parts(address: str) -> tuple[str, str] | None:
    """Return bucket and key of an `s3://` URL, whose key is literal; None for other addresses."""
    scheme, rest = address[: len(_S3)], address[len(_S3) :]
    if scheme.lower() != _S3:
        return None
    bucket, _, key = rest.partition("/")
    return bucket, key


def _invalid(key: str) -> InvalidInput:
    return InvalidInput(f"{key[:80]!r}: not a valid object key")


def _leaves_bucket(key: str) -> bool:
    return _as_path(key).partition("/")[0] == ".."


def _as_path(key: str) -> str:
    """Return a key as a file system reads it, below the bucket; `..` first if it leads out of it.

    The key has no slash at its start or end then.
    """
    return posixpath.normpath(key.replace("\\", "/").lstrip("/"))


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
