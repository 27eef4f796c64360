"""Object store in a folder, for one machine and for development."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

from mashup_worker.errors import InvalidInput, StorageFailed
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
    too_short,
    url_below,
)
from mashup_worker.storage.writing import too_large, write_capped
from mashup_worker.system.digests import file_sha256
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

_METADATA = ".metadata"
"""Folder of the digests and media types, under the same names as the objects."""


class FolderStorage:
    """Objects as files in a folder, created by the first write. Implements `Storage`.

    No part of a key may start with a dot, and no key may be the folder of another. Links are
    `file://` links without a `public_base_url`. Digests and media types are kept in a hidden
    folder; without it, digests are computed on demand.
    """

    def __init__(
        self, root: Path, public_base_url: str | None = None, *, keeps_metadata: bool = True
    ) -> None:
        self._root = Path(os.path.realpath(root))
        self._base = public_base_url
        self._keeps_metadata = keeps_metadata

    def put(
        self,
        key: str,
        path: Path,
        *,
        content_type: str,
        sha256: str,
        changes: bool = False,  # noqa: ARG002 - no cache keeps files
    ) -> StoredObject:
        """Write a file atomically."""
        target, metadata_path = self._path(check_key(key)), self._metadata_path(key)
        with _storage_errors(key), path.open("rb") as file:
            write_capped(_reader(file, key), target, name=printable(key))
            status = target.stat()
            metadata = {
                "sha256": sha256,
                "content_type": content_type,
                "bytes": status.st_size,
                "mtime_ns": status.st_mtime_ns,
            }
            if self._keeps_metadata:
                write_atomically(metadata_path, json.dumps(metadata).encode())
        return _object(key, status, sha256)

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file."""
        path = self._existing(key)
        with _storage_errors(key), path.open("rb") as file:
            if max_bytes is not None and os.fstat(file.fileno()).st_size > max_bytes:
                raise too_large(printable(key), max_bytes)
            write_capped(_reader(file, key), target, name=printable(key), max_bytes=max_bytes)

    def read_range(self, key: str, start: int, stop: int) -> Generator[bytes]:
        """Yield a part of an object in blocks."""
        path = self._existing(key)
        with _storage_errors(key), path.open("rb") as file:
            file.seek(start)
            while start < stop:
                block = file.read(min(READ_BLOCK_BYTES, stop - start))
                if not block:
                    raise too_short(key)
                start += len(block)
                yield block

    def close(self) -> None:
        """Do nothing: a folder has no connections."""

    def head(self, key: str) -> StoredObject | None:
        """Return the metadata of an object."""
        path = self._path(key)
        try:
            with _storage_errors(key):
                status = path.stat()
                if not path.is_file():
                    return None
                # A file that was added or changed by hand has no valid metadata.
                sha256 = self._metadata(key, status).get("sha256") or file_sha256(path)
        except StorageFailed:
            if not os.path.lexists(path):
                return None
            raise
        return _object(key, status, sha256)

    def copy(self, source_key: str, target_key: str) -> StoredObject:
        """Copy an object with its metadata."""
        source = self._existing(source_key)
        with _storage_errors(source_key):
            metadata = self._metadata(source_key, source.stat())
            sha256 = metadata.get("sha256") or file_sha256(source)
        content_type = metadata.get("content_type", "application/octet-stream")
        return self.put(target_key, source, content_type=content_type, sha256=sha256)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, and folders that become empty."""
        for key in keys:
            with _storage_errors(key):
                for path in (self._path(key), self._metadata_path(key)):
                    if os.path.lexists(path):
                        path.unlink(missing_ok=True)
                    self._remove_empty(path.parent)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys start with a prefix, by key."""
        parent = prefix.rpartition("/")[0]
        start = self._path(parent) if parent else self._root
        keys: list[str] = []
        for folder, folders, names in os.walk(start):
            folders[:] = [name for name in folders if not name.startswith(".")]
            relative = Path(folder).relative_to(self._root)
            keys += [(relative / name).as_posix() for name in names if not name.startswith(".")]
        for key in sorted(key for key in keys if key.startswith(prefix)):
            path = self._root / key
            if path.is_symlink() or not path.is_file():
                continue
            try:
                yield _object(key, path.stat(), None)
            except FileNotFoundError:
                continue

    def link(self, key: str) -> Link:
        """Return a URL for an object."""
        if self._base is not None:
            return Link(url_below(self._base, key))
        return Link(self._path(check_key(key)).as_uri())

    def ticket(
        self,
        key: str,  # noqa: ARG002 - nobody writes to a folder over HTTP
        *,
        size: int,  # noqa: ARG002
        content_type: str,  # noqa: ARG002
        lifetime_s: float,  # noqa: ARG002
    ) -> UploadTicket:
        """Raise `InvalidInput`."""
        raise InvalidInput("store: a folder takes no direct uploads; use POST /api/upload")

    def key_of(self, address: str) -> str | None:
        """Return the key in a public or `file://` URL of this store."""
        key = key_below(self._base, address) if self._base is not None else None
        if key is not None or not address.startswith("file://"):
            return key
        try:
            parts = urlsplit(address)
            path = Path(os.path.realpath(unquote(parts.path)))
        except ValueError:
            return None
        if parts.netloc not in ("", "localhost") or not path.is_relative_to(self._root):
            return None
        if path == self._root:
            return None
        return check_source_key(path.relative_to(self._root).as_posix())

    def _path(self, key: str) -> Path:
        return self._below(self._root, key)

    def _metadata_path(self, key: str) -> Path:
        return self._below(self._root / _METADATA, key)

    def _below(self, home: Path, key: str) -> Path:
        parts = check_source_key(key).split("/")
        if any(part.startswith(".") for part in parts):
            raise InvalidInput(f"{key!r}: not a valid object key; a folder has no hidden objects")
        if "" in parts:  # the file system would find the object of another key
            raise not_found(key)
        path = home / key
        # A symbolic link in the folder must not lead out of it.
        if not Path(os.path.realpath(path)).is_relative_to(self._root):
            raise not_found(key)
        return path

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if not os.path.isfile(path):  # noqa: PTH113 - False for names that are too long
            raise not_found(key)
        return path

    def _metadata(self, key: str, status: os.stat_result) -> dict[str, Any]:
        """Return the metadata of an object if its file is unchanged."""
        try:
            metadata: dict[str, Any] = json.loads(self._metadata_path(key).read_bytes())
        except (OSError, ValueError):
            return {}
        written = (metadata.get("bytes"), metadata.get("mtime_ns"))
        return metadata if written == (status.st_size, status.st_mtime_ns) else {}

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root and folder.is_relative_to(self._root):
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _object(key: str, status: os.stat_result, sha256: str | None) -> StoredObject:
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return StoredObject(key=key, bytes=status.st_size, sha256=sha256, modified_at=modified_at)


def _reader(file: BinaryIO, key: str) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        with _storage_errors(key):
            return file.read(count)

    return read


@contextmanager
def _storage_errors(key: str) -> Iterator[None]:
    """Convert errors of the file system to `StorageFailed` with the key."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{printable(key)}: {error.strerror or error}") from error
