"""A folder as a store, for one machine and for trying things out."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.storage.objects import Link, StoredObject, check_key, probe
from mashup_worker.storage.urls import key_below, url_below
from mashup_worker.storage.writing import too_large, write_capped
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FACTS = ".facts"
"""Folder beside the objects that keeps their digests and types, under the same names."""


class FolderStorage:
    """Objects as files below a folder. A `Storage`.

    No part of a key may begin with a dot, and no key may continue another one after a slash.

    Args:
        root: the folder; made when first written.
        public_base_url: what stands before keys in links; `file://` links when None.
        keeps_facts: whether digests and types are kept in a hidden folder beside the objects;
            digests are counted anew where they are not.
    """

    def __init__(
        self, root: Path, public_base_url: str | None = None, *, keeps_facts: bool = True
    ) -> None:
        self._root = Path(os.path.realpath(root))
        self._base = public_base_url
        self._keeps_facts = keeps_facts

    def put(
        self,
        key: str,
        path: Path,
        *,
        content_type: str,
        sha256: str,
        changes: bool = False,  # noqa: ARG002 - files are read anew anyway
    ) -> StoredObject:
        """Write a file, whole or not at all."""
        target, facts_path = self._path(key), self._facts_path(key)
        with _told(key), path.open("rb") as file:
            write_capped(_reader(file, key), target, key)
            status = target.stat()
            facts = {
                "sha256": sha256,
                "content_type": content_type,
                "bytes": status.st_size,
                "mtime_ns": status.st_mtime_ns,
            }
            if self._keeps_facts:
                write_capped(BytesIO(json.dumps(facts).encode()).read, facts_path, key)
        return _object(key, status, sha256)

    def get(self, key: str, target: Path, max_bytes: int | None = None) -> None:
        """Read an object into a file."""
        path = self._there(key)
        with _told(key), path.open("rb") as file:
            if max_bytes is not None and os.fstat(file.fileno()).st_size > max_bytes:
                raise too_large(key, max_bytes)
            write_capped(_reader(file, key), target, key, max_bytes)

    def head(self, key: str) -> StoredObject | None:
        """What is known of an object."""
        path = self._path(key)
        try:
            with _told(key):
                status = path.stat()
                if not path.is_file():
                    return None
                # A file that was put there by hand, or changed, has no facts that hold.
                sha256 = self._facts(key, status).get("sha256") or file_sha256(path)
        except StorageFailed:
            if not os.path.lexists(path):
                return None
            raise
        return _object(key, status, sha256)

    def copy(self, source_key: str, target_key: str) -> StoredObject:
        """Write an object's bytes under another key too."""
        source = self._there(source_key)
        with _told(source_key):
            facts = self._facts(source_key, source.stat())
            sha256 = facts.get("sha256") or file_sha256(source)
        content_type = facts.get("content_type", "application/octet-stream")
        return self.put(target_key, source, content_type=content_type, sha256=sha256)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, and folders that become empty."""
        for key in keys:
            with _told(key):
                for path in (self._path(key), self._facts_path(key)):
                    if os.path.lexists(path):
                        path.unlink(missing_ok=True)
                    self._remove_empty(path.parent)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose keys begin so, by key."""
        parent = prefix.rpartition("/")[0]
        start = self._path(parent) if parent else self._root
        keys: list[str] = []
        for folder, folders, names in os.walk(start):
            folders[:] = [name for name in folders if not name.startswith(".")]
            here = Path(folder).relative_to(self._root)
            keys += [(here / name).as_posix() for name in names if not name.startswith(".")]
        for key in sorted(key for key in keys if key.startswith(prefix)):
            path = self._root / key
            if path.is_symlink() or not path.is_file():
                continue
            try:
                yield _object(key, path.stat(), None)
            except FileNotFoundError:
                continue

    def link(self, key: str) -> Link:
        """A URL that reads an object."""
        if self._base is not None:
            return Link(url_below(self._base, key))
        return Link(self._path(key).as_uri())

    def key_of(self, address: str) -> str | None:
        """The key that a URL of this store stands for: public, or `file://`."""
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
        return check_key(path.relative_to(self._root).as_posix()) if path != self._root else None

    def check(self) -> None:
        """Make sure that the folder can be written."""
        probe(self)

    def _path(self, key: str) -> Path:
        return self._below(self._root, key)

    def _facts_path(self, key: str) -> Path:
        return self._below(self._root / _FACTS, key)

    def _below(self, home: Path, key: str) -> Path:
        if any(part.startswith(".") for part in check_key(key).split("/")):
            raise InvalidInput(f"{key!r}: a folder keeps no hidden objects")
        path = home / key
        # A link inside the folder must not lead out of it.
        if not Path(os.path.realpath(path)).is_relative_to(self._root):
            raise InvalidInput(f"no object {key}")
        return path

    def _there(self, key: str) -> Path:
        path = self._path(key)
        if not os.path.isfile(path):  # noqa: PTH113 - also says no of names that are too long
            raise InvalidInput(f"no object {key}")
        return path

    def _facts(self, key: str, status: os.stat_result) -> dict[str, Any]:
        """What was kept beside an object, where it was written together with this very file."""
        try:
            facts: dict[str, Any] = json.loads(self._facts_path(key).read_bytes())
        except (OSError, ValueError):
            return {}
        kept = (facts.get("bytes"), facts.get("mtime_ns"))
        return facts if kept == (status.st_size, status.st_mtime_ns) else {}

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root and folder.is_relative_to(self._root):
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _object(key: str, status: os.stat_result, sha256: str | None) -> StoredObject:
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return StoredObject(key, status.st_size, sha256, modified_at)


def _reader(file: BinaryIO, key: str) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        with _told(key):
            return file.read(count)

    return read


@contextmanager
def _told(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{key}: {error.strerror or error}") from error
