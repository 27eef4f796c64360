"""Upload of results to the store, and reuse of the results of earlier jobs."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker import __version__
from mashup_worker.audio.player_names import WAVEFORM_SUFFIX, frame_index_beside
from mashup_worker.db import jobs
from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.storage.objects import media_type
from mashup_worker.storage.sources import RESULTS_PREFIX
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.handler import StoredFile
from mashup_worker.worker.progress import UPLOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.db.database import Database
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.storage.objects import Storage

_THREADS = 4


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """Writer of one attempt's results.

    Attributes:
        prefix: prefix of the attempt's keys, with a slash at its end.
        on_progress: receives the share of uploaded files.
        on_step: receives the step `uploaded` after each file; tests kill the process there.
    """

    storage: Storage
    prefix: str
    on_progress: OnProgress
    on_step: Callable[[str], None] = lambda _step: None

    def store(self, files: Mapping[str, Path]) -> dict[str, StoredFile]:
        """Upload files in parallel and verify each.

        Raises:
            StorageFailed: an upload or a verification failed.
        """
        self.on_progress(UPLOAD, 0.0)
        stored: dict[str, StoredFile] = {}
        with ThreadPoolExecutor(_THREADS) as pool:
            pending = {name: pool.submit(self._put, name, path) for name, path in files.items()}
            try:
                for name, one in pending.items():
                    stored[name] = one.result()
                    self.on_step("uploaded")
                    self.on_progress(UPLOAD, len(stored) / len(files))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return stored

    def copy_results(self, document: dict[str, Any]) -> dict[str, Any] | None:
        """Copy the objects of another job's output; return the output with their keys and links.

        None means that an object cannot be copied.
        """
        self.on_progress(UPLOAD, 0.0)
        old_keys = sorted(_result_keys(document))
        stored: dict[str, StoredFile] = {}
        for key in old_keys:
            target = self.prefix + key.rpartition("/")[2]
            try:
                self.storage.copy(key, target)
                stored[key] = self._verified(target, None, None)
            except (InvalidInput, StorageFailed):
                return None
            if key.endswith(WAVEFORM_SUFFIX):
                self._copy_frame_index(key, target)
            self.on_progress(UPLOAD, len(stored) / len(old_keys))
        updated: dict[str, Any] = _with_copies(document, stored)
        return updated

    def _copy_frame_index(self, waveform: str, target: str) -> None:
        """Copy the frame index beside a waveform; the API makes one that cannot be copied."""
        with suppress(InvalidInput, StorageFailed):
            self.storage.copy(frame_index_beside(waveform), frame_index_beside(target))

    def _put(self, name: str, path: Path) -> StoredFile:
        key, sha256 = self.prefix + name, file_sha256(path)
        self.storage.put(key, path, content_type=media_type(path), sha256=sha256)
        return self._verified(key, path.stat().st_size, sha256)

    def _verified(self, key: str, size: int | None, sha256: str | None) -> StoredFile:
        found = self.storage.head(key)
        if found is None:
            raise StorageFailed(f"{key}: missing after the upload")
        if size not in (None, found.bytes) or sha256 not in (None, found.sha256):
            raise StorageFailed(f"{key}: size or digest differs from the uploaded file")
        link = self.storage.link(key)
        return StoredFile(
            key=key,
            url=link.url,
            url_expires_at=link.expires_at,
            bytes=found.bytes,
            sha256=found.sha256 or "",
        )


def result_digest(
    job_type: str,
    *,
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
    sha256s: Mapping[str, str],
) -> str:
    """Return a digest of everything that determines a result.

    Those are the settings of the handler, the facts of the sources, and the digests of the source
    files by name.
    """
    parts = {
        "version": __version__,
        "job_type": job_type,
        "settings": dict(settings),
        "sources": dict(sha256s),
        "facts": dict(facts),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def reused_output(
    database: Database, uploads: Uploads, *, digest: str, user_id: UUID | None
) -> dict[str, Any] | None:
    """Copy the files of an earlier job of the user with the same digest; return its output."""
    with database.transaction() as connection:
        earlier_jobs = jobs.select_jobs(
            connection, "jobs.with_result", result_digest=digest, user_id=user_id
        )
    for earlier in earlier_jobs:
        output = uploads.copy_results(earlier.output_data)
        if output is not None:
            return {**output, "reused_job_id": str(earlier.id)}
    return None


def _result_keys(document: Any) -> set[str]:
    """Return all object keys in an output."""
    if isinstance(document, dict):
        own = {document[name] for name in ("key", "peaks_key") if _is_result(document.get(name))}
        return own.union(*(_result_keys(value) for value in document.values()))
    if isinstance(document, list):
        return set().union(*(_result_keys(value) for value in document))
    return set()


def _with_copies(document: Any, stored: Mapping[str, StoredFile]) -> Any:
    """Return an output with the keys and links of copies, which are given by old key."""
    if isinstance(document, list):
        return [_with_copies(value, stored) for value in document]
    if not isinstance(document, dict):
        return document
    new = {name: _with_copies(value, stored) for name, value in document.items()}
    if _is_result(document.get("key")):
        file = stored[document["key"]]
        expires_at = file.url_expires_at and file.url_expires_at.isoformat()
        new |= {"key": file.key, "url": file.url, "url_expires_at": expires_at}
    if _is_result(document.get("peaks_key")):
        file = stored[document["peaks_key"]]
        new |= {"peaks_key": file.key, "peaks_url": file.url}
    return new


def _is_result(value: object) -> bool:
    """Return whether a value is the key of a result; `key` may also be a musical key."""
    return isinstance(value, str) and value.startswith(RESULTS_PREFIX)
