"""What every store can do, and what its keys may look like."""

from __future__ import annotations

import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.system.digests import file_sha256
from mashup_worker.vocabulary import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

PROBES = "probes/"
"""Where a store is tried out."""

_LONGEST_KEY_BYTES = 900
_NO_LETTERS = ("Cc", "Cs")
"""Unicode's names for control characters, and for halves of characters."""

_MEDIA_TYPES = {
    **{f".{name}": format_.media_type for name, format_ in FORMATS.items()},
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".html": "text/html",
}


@dataclass(frozen=True)
class StoredObject:
    """An object in a store.

    Attributes:
        key: its place.
        bytes: its size.
        sha256: digest of its bytes as its writer told it; None where that is not known.
        modified_at: when it was written, with its time zone.
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
    """A store of objects, written once and mostly never changed. Safe for several threads."""

    def put(
        self, key: str, path: Path, *, content_type: str, sha256: str, changes: bool = False
    ) -> StoredObject:
        """Write a file, whole or not at all.

        Args:
            key: its place.
            path: the file.
            content_type: what kind of file it is, in the words of `media_type`.
            sha256: digest of its bytes, kept beside them.
            changes: whether another file may take its place some day, so that no cache keeps it.

        Raises:
            InvalidInput: no object can have this key.
            TooLarge: the store takes no object of this size.
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
        """What is known of an object; None where there is none.

        Raises:
            StorageFailed: the store can't be asked.
        """
        ...

    def copy(self, source_key: str, target_key: str) -> StoredObject:
        """Write an object's bytes, with what is kept beside them, under another key too.

        Raises:
            InvalidInput: there is no such object.
            StorageFailed: it can't be written.
        """
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error.

        Raises:
            StorageFailed: one can't be removed.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin so, without digests, in an order of the store's own.

        Raises:
            StorageFailed: the store can't be asked.
        """
        ...

    def link(self, key: str) -> Link:
        """A URL that reads an object, which need not be there yet."""
        ...

    def key_of(self, address: str) -> str | None:
        """The key that a URL of this store stands for; None for any other address.

        Raises:
            InvalidInput: it is a URL of this store, but no object can have such a key.
        """
        ...

    def check(self) -> None:
        """Make sure that the store can be used: write, see and remove a small object.

        Raises:
            StorageFailed: it can't; the message says why, in one line.
        """
        ...


def check_store(storage: Storage, scratch: Path, name: str) -> None:
    """Make sure that objects can be written, seen and removed.

    Args:
        storage: the store.
        scratch: a file to try it with.
        name: of the probe, so that several processes don't meet.

    Raises:
        StorageFailed: they can't; the message says why.
    """
    key = f"{PROBES}{name}"
    try:
        scratch.write_bytes(b"probe\n")
    except OSError as error:
        raise StorageFailed(f"can't write {scratch}: {error.strerror or error}") from error
    sha256 = file_sha256(scratch)
    storage.put(key, scratch, content_type="text/plain", sha256=sha256)
    there = storage.head(key)
    storage.delete([key])
    if there is None or there.bytes != scratch.stat().st_size:
        raise StorageFailed("the store takes objects, but does not show them")
    if there.sha256 != sha256:
        raise StorageFailed("the store does not keep the metadata of objects")


def probe(storage: Storage) -> None:
    """`check_store`, with a temporary file.

    Raises:
        StorageFailed: the store can't be used.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            check_store(storage, Path(folder) / "probe", uuid4().hex)
    except OSError as error:
        raise StorageFailed(f"no temporary file: {error.strerror or error}") from error


def check_key(key: str) -> str:
    """The key, if it can be one everywhere.

    Raises:
        InvalidInput: it is empty, too long, or would lead elsewhere in a folder.
    """
    if (
        len(key.encode(errors="replace")) > _LONGEST_KEY_BYTES
        or any(part in ("", ".", "..") for part in key.split("/"))
        or any(letter == "\\" or unicodedata.category(letter) in _NO_LETTERS for letter in key)
    ):
        raise InvalidInput(f"{key[:80]!r} is no key of an object")
    return key


def media_type(path: Path) -> str:
    """Content type by the ending of a name."""
    return _MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
