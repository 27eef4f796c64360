"""Files of a job on their way into and out of the store."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from mashup_worker.db import jobs
from mashup_worker.db.publishing import readable_stem
from mashup_worker.errors import InvalidInput, MashupError, StorageFailed
from mashup_worker.storage.objects import check_key, media_type
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.progress import FETCH, UPLOAD
from mashup_worker.worker.work import Stem, StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mashup_worker.db.database import Database
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage
    from mashup_worker.worker.work import OnProgress

RESULTS = "jobs/"
"""Where results lie: `jobs/<job>/<attempt>/<name>`."""

_TOLD_LETTERS = 200
"""What messages quote of what a user wrote."""

_UPLOADS = 4
_RESULT_KEY = re.compile(r"^jobs/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")


@dataclass
class JobInputs:
    """Brings what a job names into a folder, where the job's user may read it. An `Inputs`.

    Files are decoded apart, whoever they are from: what handlers get is a WAV that we wrote.

    Attributes:
        storage: our own store.
        database: says whose results and stems are whose.
        settings: what may be read.
        user_id: the job's user; a job without one may read all of our own store.
        folder: where files are put.
        on_progress: told of every file.
        digests: SHA-256 of each file as it came, by the path of its sound.
        source_jobs: jobs whose results were read so far.
    """

    storage: Storage
    database: Database
    settings: ServiceSettings
    user_id: UUID | None
    folder: Path
    on_progress: OnProgress
    digests: dict[Path, str] = field(default_factory=dict)
    source_jobs: set[UUID] = field(default_factory=set)

    def fetch(self, address: str, name: str) -> Path:
        """The sound at a URL, `s3://bucket/key`, or key, as a WAV.

        Raises:
            InvalidInput: there is no such file, it is not this user's to read, or it is no sound.
            FetchRefused, FetchFailed, TooLarge, TooLong, StorageFailed: as they say.
        """
        self.on_progress(FETCH, 0.0)
        try:
            parts = urlsplit(address)
        except ValueError as error:
            # Its own words would quote a password.
            raise InvalidInput("audio: not a URL") from error
        target = self._target(parts.path)
        own_key = self.storage.key_of(address)
        if own_key is None and "://" in address:
            self._fetch_elsewhere(address, target)
        else:
            key = address if own_key is None else own_key
            self._check_readable(key)
            self.storage.get(key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
            self._remember(key)
        return self._decoded(target, name)

    def fetch_stem(self, stem_id: UUID, name: str) -> Stem:
        """A stem of the registry.

        Raises:
            InvalidInput: there is no such stem, or it is not this user's to read.
        """
        with self.database.transaction() as connection:
            found = readable_stem(connection, stem_id, self.user_id)
        if found is None:
            raise InvalidInput(f"stem_id {stem_id}: there is no such stem that this user may read")
        target = self._target(found.key)
        self.storage.get(found.key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        self._remember(found.key)
        return Stem(self._decoded(target, name), found.kind, found.song, found.analysis)

    def known_analysis(self, address: str) -> Mapping[str, Any] | None:
        """What a `separate` job found out of the song whose stem this is, if it is one."""
        result = _RESULT_KEY.match(self.storage.key_of(address) or address)
        if not result:
            return None
        with self.database.transaction() as connection:
            job = jobs.find(connection, UUID(result[1]))
        if job is None or job.job_type != "separate" or job.output_data is None:
            return None
        analysis: Mapping[str, Any] | None = job.output_data.get("analysis")
        return analysis

    def _target(self, path: str) -> Path:
        """Where the file of a path goes, with its suffix."""
        suffix = _SUFFIX.search(path)
        return self.folder / f"input-{len(self.digests) + 1}{suffix[0] if suffix else ''}"

    def _decoded(self, file: Path, name: str) -> Path:
        """The sound of a file, which is then gone; errors call it by its name."""
        from mashup_worker.audio.sandbox import SandboxLimits, decode_sandboxed

        limits = SandboxLimits(
            max_duration_s=self.settings.inputs.max_duration_s,
            max_decoded_bytes=self.settings.inputs.max_decoded_bytes,
            timeout_s=self.settings.inputs.decode_timeout_s,
        )
        sound = file.with_name(f"{file.stem}.sound.wav")
        sha256 = file_sha256(file)
        try:
            decode_sandboxed(file, sound, limits, lambda: self.on_progress(FETCH, 1.0))
        except MashupError as error:
            raise type(error)(error.message.replace(str(file), name)) from error
        file.unlink()
        self.digests[sound] = sha256
        self.on_progress(FETCH, 1.0)
        return sound

    def _fetch_elsewhere(self, address: str, target: Path) -> None:
        parts = urlsplit(address)
        if parts.scheme == "s3":
            if parts.netloc not in self.settings.inputs.input_buckets:
                bucket = parts.netloc.rpartition("@")[2][:_TOLD_LETTERS]
                raise InvalidInput(f"bucket {bucket!r}: jobs may not read it")
            from mashup_worker.storage.s3 import S3Storage

            key = parts.path.lstrip("/")
            self._check_readable(key)
            other = self.settings.storage.model_copy(update={"s3_bucket": parts.netloc})
            S3Storage(other).get(key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        elif parts.scheme in ("http", "https"):
            from mashup_worker.storage.fetch import fetch

            fetch(
                address,
                target,
                max_bytes=self.settings.inputs.max_fetch_bytes,
                timeout_s=self.settings.inputs.fetch_timeout_s,
                allow_private=self.settings.inputs.fetch_private,
            )
        else:
            scheme = parts.scheme[:_TOLD_LETTERS]
            raise InvalidInput(f"audio {scheme!r}: give an https URL, s3://, or a key")

    def _remember(self, key: str) -> None:
        result = _RESULT_KEY.match(key)
        if result:
            self.source_jobs.add(UUID(result[1]))

    def _check_readable(self, key: str) -> None:
        """Whether the job's user may read a key.

        Raises:
            InvalidInput: no; in the same words as for a key that does not exist.
        """
        check_key(key)
        if self.user_id is None:
            return
        prefixes = [one.format(user_id=self.user_id) for one in self.settings.inputs.input_prefixes]
        if key.startswith(tuple(prefixes)):
            return
        result = _RESULT_KEY.match(key)
        if result:
            with self.database.transaction() as connection:
                job = jobs.find(connection, UUID(result[1]))
            if job is not None and job.user_id == self.user_id:
                return
        raise InvalidInput(f"no object {key[:_TOLD_LETTERS]} that this user may read")


@dataclass(frozen=True)
class Uploads:
    """Writes the results of one attempt under a key of their own.

    Attributes:
        storage: where to.
        prefix: the attempt's, with a slash at its end.
        on_progress: told of every file.
        at: told of the point `uploaded` after every file.
    """

    storage: Storage
    prefix: str
    on_progress: OnProgress
    at: Callable[[str], None] = lambda _point: None

    def store(self, files: Mapping[str, Path]) -> dict[str, StoredFile]:
        """Write files, several at once, and make sure that each is there.

        Raises:
            StorageFailed: one is not.
        """
        self.on_progress(UPLOAD, 0.0)
        stored: dict[str, StoredFile] = {}
        with ThreadPoolExecutor(_UPLOADS) as pool:
            pending = {name: pool.submit(self._put, name, path) for name, path in files.items()}
            try:
                for name, one in pending.items():
                    stored[name] = one.result()
                    self.at("uploaded")
                    self.on_progress(UPLOAD, len(stored) / len(files))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return stored

    def take_over(self, document: dict[str, Any]) -> dict[str, Any] | None:
        """Copy the objects that another job's output names, and name the copies.

        Returns:
            The output with keys and links of its own, or None where that can't be done.
        """
        self.on_progress(UPLOAD, 0.0)
        old_keys = sorted(_keys_in(document))
        stored: dict[str, StoredFile] = {}
        for key in old_keys:
            target = self.prefix + key.rpartition("/")[2]
            try:
                self.storage.copy(key, target)
                stored[key] = self._seen(target, None, None)
            except (InvalidInput, StorageFailed):
                return None
            self.on_progress(UPLOAD, len(stored) / len(old_keys))
        renamed: dict[str, Any] = _renamed(document, stored)
        return renamed

    def _put(self, name: str, path: Path) -> StoredFile:
        key, sha256 = self.prefix + name, file_sha256(path)
        self.storage.put(key, path, content_type=media_type(path), sha256=sha256)
        return self._seen(key, path.stat().st_size, sha256)

    def _seen(self, key: str, size: int | None, sha256: str | None) -> StoredFile:
        there = self.storage.head(key)
        if there is None:
            raise StorageFailed(f"{key} was written, but is not there")
        if size not in (None, there.bytes) or sha256 not in (None, there.sha256):
            raise StorageFailed(f"{key} was written, but differs from what was sent")
        link = self.storage.link(key)
        return StoredFile(key, link.url, link.expires_at, there.bytes, there.sha256 or "")


def _keys_in(document: Any) -> set[str]:
    """All keys of objects that an output names."""
    if isinstance(document, dict):
        own = {document[name] for name in ("key", "peaks_key") if _is_result(document.get(name))}
        return own.union(*(_keys_in(value) for value in document.values()))
    if isinstance(document, list):
        return set().union(*(_keys_in(value) for value in document))
    return set()


def _renamed(document: Any, stored: Mapping[str, StoredFile]) -> Any:
    if isinstance(document, list):
        return [_renamed(value, stored) for value in document]
    if not isinstance(document, dict):
        return document
    new = {name: _renamed(value, stored) for name, value in document.items()}
    if _is_result(document.get("key")):
        file = stored[document["key"]]
        expires_at = file.url_expires_at and file.url_expires_at.isoformat()
        new |= {"key": file.key, "url": file.url, "url_expires_at": expires_at}
    if _is_result(document.get("peaks_key")):
        file = stored[document["peaks_key"]]
        new |= {"peaks_key": file.key, "peaks_url": file.url}
    return new


def _is_result(value: object) -> bool:
    """Whether a value is the key of a result; an analysis has a `key` too, such as `A minor`."""
    return isinstance(value, str) and value.startswith(RESULTS)
