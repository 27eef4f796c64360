"""Input files of a job: rights of its user, download, and decoding in a sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from mashup_worker.db import jobs
from mashup_worker.db.publishing import readable_stem
from mashup_worker.errors import InvalidInput, MashupError
from mashup_worker.storage.objects import check_source_key, key_readings, printable, s3_parts
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.handler import FetchedStem
from mashup_worker.worker.progress import FETCH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.db.database import Database
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage

_MAX_QUOTED_LETTERS = 200
"""Letters of untrusted text that a message quotes."""

_RESULT_KEY = re.compile(r"^jobs/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")


@dataclass(kw_only=True)
class JobInputs:
    """Implementation of `Inputs` for one job.

    Every file is decoded in a sandbox. Handlers get WAV files written by this process.

    Attributes:
        storage: our own store.
        user_id: user of the job; a job without a user may read the whole store.
        folder: folder for the files.
        digests: SHA-256 of each fetched file, by the path of the decoded file.
        tags: tags of each fetched file, by the same path.
        source_jobs: jobs whose results were read.
        warnings: missing and ignored parts of the files.
    """

    storage: Storage
    database: Database
    settings: ServiceSettings
    user_id: UUID | None
    folder: Path
    on_progress: OnProgress
    digests: dict[Path, str] = field(default_factory=dict)
    tags: dict[Path, SongTags] = field(default_factory=dict)
    source_jobs: set[UUID] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def fetch(self, address: str, name: str) -> Path:
        """See `Inputs.fetch`."""
        self.on_progress(FETCH, 0.0)
        key = self._own_key(address)
        target = self._fetch_foreign(address) if key is None else self._get(key)
        return self._decoded(target, name)

    def fetch_stem(self, stem_id: UUID, name: str) -> FetchedStem:
        """See `Inputs.fetch_stem`."""
        with self.database.transaction() as connection:
            stem = readable_stem(connection, stem_id, self.user_id)
        if stem is None:
            raise InvalidInput(f"stem_id {stem_id}: not found, or this user must not read it")
        target = self._target(stem.key)
        self.storage.get(stem.key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        self._record_source(stem.key)
        path = self._decoded(target, name)
        return FetchedStem(path=path, kind=stem.kind, song=stem.song, analysis=stem.analysis)

    def known_analysis(self, address: str) -> Mapping[str, Any] | None:
        """See `Inputs.known_analysis`."""
        key = self._own_key(address)
        readings = () if key is None else key_readings(key)
        result = _RESULT_KEY.match(readings[0]) if len(readings) == 1 else None
        if result is None:
            return None
        with self.database.transaction() as connection:
            job = jobs.find(connection, UUID(result[1]))
        if job is None or job.job_type != "separate" or job.output_data is None:
            return None
        analysis: Mapping[str, Any] | None = job.output_data.get("analysis")
        return analysis

    def _own_key(self, address: str) -> str | None:
        """Return the key in our own store of an address; None for other URLs."""
        key = self.storage.key_of(address)
        return address if key is None and "://" not in address else key

    def _target(self, path: str) -> Path:
        """Return a new file in the folder, with the suffix of a path."""
        suffix = _SUFFIX.search(path)
        return self.folder / f"input-{len(self.digests) + 1}{suffix[0] if suffix else ''}"

    def _get(self, key: str) -> Path:
        self._check_readable(key)
        target = self._target(key)
        self.storage.get(key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        self._record_source(key)
        return target

    def _fetch_foreign(self, address: str) -> Path:
        limits = self.settings.inputs
        in_bucket = s3_parts(address)
        if in_bucket is not None:
            return self._get_foreign(*in_bucket)
        try:
            parts = urlsplit(address)
        except ValueError as error:
            # The message of the original error may contain a password.
            raise InvalidInput("audio: not a URL") from error
        target = self._target(parts.path)
        if parts.scheme in ("http", "https"):
            from mashup_worker.storage.fetch import fetch

            fetch(
                address,
                target,
                max_bytes=limits.max_fetch_bytes,
                timeout_s=limits.fetch_timeout_s,
                allow_private=limits.fetch_private,
            )
        else:
            scheme = parts.scheme[:_MAX_QUOTED_LETTERS]
            raise InvalidInput(f"audio: unknown scheme {scheme!r}; use https://, s3:// or a key")
        return target

    def _get_foreign(self, bucket: str, key: str) -> Path:
        if bucket not in self.settings.inputs.input_buckets:
            name = bucket.rpartition("@")[2][:_MAX_QUOTED_LETTERS]
            raise InvalidInput(f"bucket {name!r}: jobs must not read it")
        from mashup_worker.storage.s3 import S3Storage

        self._check_readable(key)
        target = self._target(key)
        other = self.settings.storage.model_copy(update={"s3_bucket": bucket})
        S3Storage(other).get(key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        return target

    def _check_readable(self, key: str) -> None:
        """Check that the job's user may read a key, however the store reads it.

        Raises:
            InvalidInput: the user must not; the message is the same as for a missing object.
        """
        check_source_key(key)
        if all(self._is_readable(reading) for reading in key_readings(key)):
            return
        shown = printable(key[:_MAX_QUOTED_LETTERS])
        raise InvalidInput(f"{shown}: object not found, or this user must not read it")

    def _is_readable(self, key: str) -> bool:
        if self.user_id is None:
            return True
        prefixes = [one.format(user_id=self.user_id) for one in self.settings.inputs.input_prefixes]
        if key.startswith(tuple(prefixes)):
            return True
        result = _RESULT_KEY.match(key)
        if result is None:
            return False
        with self.database.transaction() as connection:
            job = jobs.find(connection, UUID(result[1]))
        return job is not None and job.user_id == self.user_id

    def _record_source(self, key: str) -> None:
        for reading in key_readings(key):
            result = _RESULT_KEY.match(reading)
            if result:
                self.source_jobs.add(UUID(result[1]))

    def _decoded(self, file: Path, name: str) -> Path:
        """Decode a file in the sandbox and delete it; messages call it by its name."""
        from mashup_worker.audio.sandbox import SandboxLimits, decode_sandboxed

        limits = SandboxLimits(
            max_duration_s=self.settings.inputs.max_duration_s,
            max_decoded_bytes=self.settings.inputs.max_decoded_bytes,
            timeout_s=self.settings.inputs.decode_timeout_s,
        )
        decoded = file.with_name(f"{file.stem}.decoded.wav")
        sha256 = file_sha256(file)
        try:
            found = decode_sandboxed(
                file, decoded, limits, on_wait=lambda: self.on_progress(FETCH, 1.0)
            )
        except MashupError as error:
            raise type(error)(error.message.replace(str(file), name)) from error
        self.warnings += [f"{name}: {warning}" for warning in found.warnings]
        file.unlink()
        self.digests[decoded], self.tags[decoded] = sha256, found.tags
        self.on_progress(FETCH, 1.0)
        return decoded
