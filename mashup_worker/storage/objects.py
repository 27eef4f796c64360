"""What every store can do, and what its keys may look like."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mashup_worker.errors import InvalidInput, StorageFailed, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

PROBES = "probes/"
"""Where a store is tried out."""

_LONGEST_KEY_BYTES = 900
_BLOCK_BYTES = 1 << 20
_MEDIA_TYPES = {
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".json": "application/json",
    ".html": "text/html",
}


@dataclass(frozen=True)
class StoredObject:
    """An object in a store.

    Attributes:
        key: its place.
        bytes: its size.
        sha256: digest of its bytes as its writer told it; None where that is not known.
        modified_at: when it was written.
    """

    key: str
    bytes: int
    sha256: str | None
    modified_at: datetime


@dataclass(frozen=True)
class Link:
    """A URL that reads an object, until `expires_at` where that is set."""

    url: str
    expires_at: datetime | None = None


class Storage(Protocol):
    """A store of objects. Objects are written once and never changed. Safe for several threads."""

    def put(self, key: str, path: Path, *, content_type: str, sha256: str) -> None:
        """Write a file, whole or not at all.

        Raises:
            StorageFailed: it can't be written.
        """
        ...

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file.

        Raises:
            InvalidInput: there is none.
            TooLarge: it has more than `max_bytes`.
            StorageFailed: it can't be read.
        """
        ...

    def head(self, key: str) -> StoredObject | None:
        """What is known of an object; None where there is none."""
        ...

    def copy(self, source_key: str, target_key: str) -> None:
        """Write an object's bytes under another key too."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin so, by key; without digests."""
        ...

    def link(self, key: str) -> Link:
        """A URL that reads an object."""
        ...

    def key_of(self, address: str) -> str | None:
        """The key that a URL of this store stands for; None for any other address."""
        ...


def check_store(storage: Storage, scratch: Path, name: str) -> None:
    """Make sure that a store can be written, read and cleaned.

    Args:
        storage: the store.
        scratch: a file to try it with.
        name: of the probe, so that several processes don't meet.

    Raises:
        StorageFailed: it can't; the message says why.
    """
    key = f"{PROBES}{name}"
    scratch.write_bytes(b"probe\n")
    storage.put(key, scratch, content_type="text/plain", sha256=file_sha256(scratch))
    there = storage.head(key)
    storage.delete([key])
    if there is None or there.bytes != scratch.stat().st_size:
        raise StorageFailed("the store takes objects, but does not show them")


def check_key(key: str) -> str:
    """The key, if it can be one everywhere.

    Raises:
        InvalidInput: it is empty, too long, or would lead elsewhere in a folder.
    """
    parts = key.split("/")
    if (
        not key
        or len(key.encode()) > _LONGEST_KEY_BYTES
        or any(part in ("", ".", "..") for part in parts)
        or any(ord(letter) < 32 or letter in "\\\x7f" for letter in key)
    ):
        raise InvalidInput(f"{key[:80]!r} is no key of an object")
    return key


def media_type(path: Path) -> str:
    """Content type by the ending of a name."""
    return _MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_capped(
    read: Callable[[int], bytes], target: Path, max_bytes: int | None, name: str
) -> int:
    """Write what `read` gives into a file, which appears when it is whole; its size.

    Raises:
        TooLarge: there is more than `max_bytes`.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    size = 0
    try:
        with partial.open("wb") as file:
            while block := read(_BLOCK_BYTES):
                size += len(block)
                if max_bytes is not None and size > max_bytes:
                    raise too_large(name, max_bytes)
                file.write(block)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return size


def too_large(name: str, max_bytes: int) -> TooLarge:
    """The error of an object over the limit."""
    return TooLarge(f"{name}: more than {max_bytes / 1e6:.0f} MB")
