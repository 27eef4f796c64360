"""A folder as a store, for one machine and for trying things out."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.storage.objects import (
    Link,
    StoredObject,
    check_key,
    file_sha256,
    too_large,
    write_capped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FACTS = ".facts"
"""Folder beside the objects that keeps their digests and types, under the same names."""


class FolderStorage:
    """Objects as files below a folder. A `Storage`.

    Args:
        root: the folder; made when first written.
        public_base_url: what stands before keys in links; `file://` links when None.
    """

    def __init__(self, root: Path, public_base_url: str | None = None) -> None:
        self._root = Path(os.path.realpath(root))
        self._base = public_base_url.rstrip("/") if public_base_url else None

    def put(self, key: str, path: Path, *, content_type: str, sha256: str) -> None:
        """Write a file, whole or not at all."""
        facts = json.dumps({"sha256": sha256, "content_type": content_type}).encode()
        with _told(key), path.open("rb") as file:
            write_capped(file.read, self._path(key, make=True), None, key)
            write_capped(BytesIO(facts).read, self._facts(key, make=True), None, key)

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file."""
        path = self._path(key)
        if not path.is_file():
            raise InvalidInput(f"no object {key}")
        if max_bytes is not None and path.stat().st_size > max_bytes:
            raise too_large(key, max_bytes)
        with _told(key), path.open("rb") as file:
            write_capped(file.read, target, max_bytes, key)

    def head(self, key: str) -> StoredObject | None:
        """What is known of an object."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            sha256 = json.loads(self._facts(key).read_bytes())["sha256"]
        except (OSError, ValueError, KeyError):
            sha256 = file_sha256(path)
        return self._object(key, path, sha256)

    def copy(self, source_key: str, target_key: str) -> None:
        """Write an object's bytes under another key too."""
        there = self.head(source_key)
        if there is None:
            raise StorageFailed(f"no object {source_key} to copy")
        source = self._path(source_key)
        self.put(
            target_key, source, content_type="application/octet-stream", sha256=there.sha256 or ""
        )

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, and folders that become empty."""
        for key in keys:
            with _told(key):
                for path in (self._path(key), self._facts(key)):
                    path.unlink(missing_ok=True)
                    self._remove_empty(path.parent)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin so, by key."""
        start = self._root.joinpath(*prefix.split("/")[:-1])
        for path in sorted(start.rglob("*")):
            key = path.relative_to(self._root).as_posix()
            hidden = any(part.startswith(".") for part in Path(key).parts)
            if key.startswith(prefix) and not hidden and path.is_file():
                yield self._object(key, path, None)

    def link(self, key: str) -> Link:
        """A URL that reads an object."""
        if self._base is not None:
            return Link(f"{self._base}/{quote(check_key(key))}")
        return Link(self._path(key).as_uri())

    def key_of(self, address: str) -> str | None:
        """The key that a URL of this store stands for."""
        if self._base is not None and address.startswith(self._base + "/"):
            return check_key(unquote(urlsplit(address[len(self._base) + 1 :]).path))
        if not address.startswith("file://"):
            return None
        path = Path(os.path.realpath(unquote(urlsplit(address).path)))
        if not path.is_relative_to(self._root) or path == self._root:
            return None
        return path.relative_to(self._root).as_posix()

    def _path(self, key: str, *, make: bool = False) -> Path:
        return self._below(self._root, key, make=make)

    def _facts(self, key: str, *, make: bool = False) -> Path:
        return self._below(self._root / _FACTS, key, make=make)

    def _below(self, home: Path, key: str, *, make: bool) -> Path:
        if any(part.startswith(".") for part in check_key(key).split("/")):
            raise InvalidInput(f"{key!r}: a folder keeps no hidden objects")
        path = home / key
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        # A link inside the folder must not lead out of it.
        if not Path(os.path.realpath(path)).is_relative_to(self._root):
            raise InvalidInput(f"no object {key}")
        return path

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root and folder.is_relative_to(self._root):
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    @staticmethod
    def _object(key: str, path: Path, sha256: str | None) -> StoredObject:
        facts = path.stat()
        modified_at = datetime.fromtimestamp(facts.st_mtime, UTC)
        return StoredObject(key, facts.st_size, sha256, modified_at)


@contextmanager
def _told(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{key}: {error.strerror or error}") from error
