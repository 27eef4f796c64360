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
from mashup_worker.storage.objects import check_key
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.handler import FetchedStem
from mashup_worker.worker.progress import FETCH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
    source_jobs: set[UUID] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def fetch(self, address: str, name: str) -> Path:
        """See `Inputs.fetch`."""
        self.on_progress(FETCH, 0.0)
        try:
            parts = urlsplit(address)
        except ValueError as error:
            # The message of the original error may contain a password.
            raise InvalidInput("audio: not a URL") from error
        target = self._target(parts.path)
        own_key = self.storage.key_of(address)
        if own_key is None and "://" in address:
            self._fetch_foreign(address, target)
        else:
            self._get(address if own_key is None else own_key, target)
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
        """Return a new file in the folder, with the suffix of a path."""
        suffix = _SUFFIX.search(path)
        return self.folder / f"input-{len(self.digests) + 1}{suffix[0] if suffix else ''}"

    def _get(self, key: str, target: Path) -> None:
        self._check_readable(key)
        self.storage.get(key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        self._record_source(key)

    def _fetch_foreign(self, address: str, target: Path) -> None:
        limits = self.settings.inputs
        parts = urlsplit(address)
        if parts.scheme == "s3":
            if parts.netloc not in limits.input_buckets:
                bucket = parts.netloc.rpartition("@")[2][:_MAX_QUOTED_LETTERS]
                raise InvalidInput(f"bucket {bucket!r}: jobs must not read it")
            from mashup_worker.storage.s3 import S3Storage

            key = parts.path.lstrip("/")
            self._check_readable(key)
            other = self.settings.storage.model_copy(update={"s3_bucket": parts.netloc})
            S3Storage(other).get(key, target, max_bytes=limits.max_fetch_bytes)
        elif parts.scheme in ("http", "https"):
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

    def _check_readable(self, key: str) -> None:
        """Check that the job's user may read a key.

        Raises:
            InvalidInput: the user must not; the message is the same as for a missing object.
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
        raise InvalidInput(
            f"{key[:_MAX_QUOTED_LETTERS]}: object not found, or this user must not read it"
        )

    def _record_source(self, key: str) -> None:
        result = _RESULT_KEY.match(key)
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
        self.warnings += [f"{name}: {warning}" for warning in found]
        file.unlink()
        self.digests[decoded] = sha256
        self.on_progress(FETCH, 1.0)
        return decoded
