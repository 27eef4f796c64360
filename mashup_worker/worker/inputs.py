"""Input files of a job: rights of its user, download, and decoding in a sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mashup_worker.analysis.correction import Correction, corrected_document
from mashup_worker.db import jobs, songs
from mashup_worker.db.publishing import model_of_stem, readable_stem
from mashup_worker.errors import InvalidInput, MashupError
from mashup_worker.queue.job_outputs import LicensedModel
from mashup_worker.storage.objects import key_readings
from mashup_worker.storage.sources import MAX_QUOTED_LETTERS, SourceRights, job_of_result, own_key
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.handler import FetchedStem
from mashup_worker.worker.progress import FETCH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.db.database import Database
    from mashup_worker.db.songs import SongCorrection
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage

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
        place = self._rights.locate(address)
        target = self._fetch_url(address) if place is None else self._get(*place)
        return self._decoded(target, name)

    def fetch_stem(self, stem_id: UUID, name: str) -> FetchedStem:
        """See `Inputs.fetch_stem`."""
        with self.database.transaction() as connection:
            stem = readable_stem(connection, stem_id, self.user_id)
            correction = songs.correction_of_stem(connection, stem_id)
            model = model_of_stem(connection, stem_id)
        if stem is None:
            raise InvalidInput(f"stem_id {stem_id}: not found, or this user must not read it")
        target = self._target(stem.key)
        self.storage.get(stem.key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        self._record_source(stem.key)
        path = self._decoded(target, name)
        analysis = _corrected(stem.analysis, correction)
        return FetchedStem(
            path=path,
            kind=stem.kind,
            song=stem.song,
            analysis=analysis,
            model=None if model is None else LicensedModel.model_validate(model),
        )

    def known_analysis(self, address: str) -> Mapping[str, Any] | None:
        """See `Inputs.known_analysis`."""
        key = own_key(self.storage, address)
        readings = () if key is None else key_readings(key)
        job_id = job_of_result(readings[0]) if len(readings) == 1 else None
        if job_id is None:
            return None
        with self.database.transaction() as connection:
            job = jobs.find(connection, job_id)
            correction = songs.correction(connection, job_id)
        if job is None or job.job_type != "separate" or job.output_data is None:
            return None
        return _corrected(job.output_data.get("analysis"), correction)

    @property
    def _rights(self) -> SourceRights:
        return SourceRights(
            storage=self.storage,
            settings=self.settings.inputs,
            user_id=self.user_id,
            owns_job=self._owns_job,
        )

    def _owns_job(self, job_id: UUID) -> bool:
        with self.database.transaction() as connection:
            job = jobs.find(connection, job_id)
        return job is not None and job.user_id == self.user_id

    def _target(self, path: str) -> Path:
        """Return a new file in the folder, with the suffix of a path."""
        suffix = _SUFFIX.search(path)
        return self.folder / f"input-{len(self.digests) + 1}{suffix[0] if suffix else ''}"

    def _get(self, bucket: str | None, key: str) -> Path:
        target = self._target(key)
        self._store_of(bucket).get(key, target, max_bytes=self.settings.inputs.max_fetch_bytes)
        if bucket is None:
            self._record_source(key)
        return target

    def _store_of(self, bucket: str | None) -> Storage:
        if bucket is None:
            return self.storage
        from mashup_worker.storage.s3 import S3Storage

        return S3Storage(self.settings.storage.model_copy(update={"s3_bucket": bucket}))

    def _fetch_url(self, address: str) -> Path:
        limits = self.settings.inputs
        try:
            parts = urlsplit(address)
        except ValueError as error:
            # The message of the original error may contain a password.
            raise InvalidInput("audio: not a URL") from error
        if parts.scheme not in ("http", "https"):
            scheme = parts.scheme[:MAX_QUOTED_LETTERS]
            raise InvalidInput(f"audio: unknown scheme {scheme!r}; use https://, s3:// or a key")
        from mashup_worker.storage.fetch import fetch

        target = self._target(parts.path)
        fetch(
            address,
            target,
            max_bytes=limits.max_fetch_bytes,
            timeout_s=limits.fetch_timeout_s,
            allow_private=limits.fetch_private,
        )
        return target

    def _record_source(self, key: str) -> None:
        for reading in key_readings(key):
            job_id = job_of_result(reading)
            if job_id is not None:
                self.source_jobs.add(job_id)

    def _decoded(self, file: Path, name: str) -> Path:
        """Decode a file in the sandbox and delete it; messages call it by its name."""
        from mashup_worker.audio.sandbox import SandboxLimits, decode_sandboxed

        limits = SandboxLimits.of(self.settings.inputs)
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


def _corrected(
    analysis: Mapping[str, Any] | None, correction: SongCorrection | None
) -> Mapping[str, Any] | None:
    """Return the analysis in a job's output as the user of the job corrected it."""
    if analysis is None or correction is None:
        return analysis
    return corrected_document(
        analysis,
        Correction(
            tempo_factor=correction.tempo_factor,
            downbeat_shift=correction.downbeat_shift,
            key=correction.musical_key,
        ),
    )
