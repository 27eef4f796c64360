"""Takedown of a song with everything derived from it, or of everything of a user."""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import select
from mashup_worker.errors import InvalidInput, ServiceUnavailable, TooLarge
from mashup_worker.queue.status import status_key
from mashup_worker.storage.sources import RESULTS_PREFIX
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    import redis

    from mashup_worker.db.database import Connection, Database
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage

logger = logging.getLogger(__name__)

_USER_PLACEHOLDER = "{user_id}"
_POLL_S = 0.25
_BATCH = 500


@dataclass(frozen=True)
class SongTarget:
    """Song by the SHA-256 of its file: the jobs that read it, and jobs that read their results."""

    sha256: str

    def jobs(self, connection: Connection) -> list[jobs.Job]:
        """Return the jobs to remove."""
        return jobs.select_jobs(connection, "takedown.jobs_of_song", sha256=self.sha256)


@dataclass(frozen=True)
class UserTarget:
    """User: all jobs and uploads. Mashups that others made of the user's stems stay."""

    user_id: UUID

    def jobs(self, connection: Connection) -> list[jobs.Job]:
        """Return the jobs to remove."""
        return jobs.select_jobs(connection, "takedown.jobs_of_user", user=self.user_id)


@dataclass(frozen=True, kw_only=True)
class PurgeResult:
    """Removed items, or the items that a dry run found.

    Attributes:
        jobs: ids of jobs, whose rows and stems are removed.
        keys: keys of objects.
        mashups: mashups that lost stems; their own rows stay.
    """

    jobs: tuple[UUID, ...]
    keys: tuple[str, ...]
    mashups: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True)
class Purge:
    """Removes objects first, then rows, then the status in Redis; safe to repeat after an abort.

    The role of the database must own the tables or be the service role: workers lack the rights.
    Without `redis`, statuses are left to expire.
    """

    database: Database
    storage: Storage
    redis: redis.Redis | None
    settings: ServiceSettings

    def run(self, target: SongTarget | UserTarget, *, dry_run: bool = False) -> PurgeResult:
        """Cancel open jobs of the target and remove everything.

        Raises:
            ServiceUnavailable: a job does not end; none of its objects and rows are removed.
            StorageFailed: the store is unavailable.
        """
        job_ids: list[UUID] = []
        keys: list[str] = []
        mashups: set[UUID] = set()
        # Repeats until no job is found, since new jobs may arrive meanwhile.
        while found := self._found(target):
            if not dry_run:
                self._end(found)
            batch = [*self._results(found), *self._inputs(found, target)]
            job_ids += [job.id for job in found]
            keys += batch
            if dry_run:
                break
            self._delete(batch)
            # The API may have stored a frame index meanwhile, which it undoes from now on.
            self._delete(list(self._results(found)))
            mashups.update(self._delete_rows([job.id for job in found]))
        if isinstance(target, UserTarget):
            uploads = list(self._uploads(target.user_id))
            keys += uploads
            if not dry_run:
                self._delete(uploads)
        return PurgeResult(
            jobs=tuple(job_ids), keys=tuple(dict.fromkeys(keys)), mashups=tuple(sorted(mashups))
        )

    def _found(self, target: SongTarget | UserTarget) -> list[jobs.Job]:
        with self.database.transaction() as connection:
            return target.jobs(connection)

    def _end(self, found: Sequence[jobs.Job]) -> None:
        """Cancel open jobs and wait for their end."""
        left = {job.id for job in found if not job.is_terminal}
        settings = self.settings
        timeout_s = settings.attempts.lease_s + 2 * settings.queue.poll_s
        until_s = time.monotonic() + timeout_s
        for job_id in left:
            with self.database.transaction() as connection:
                jobs.select(connection, "request_cancel", id=job_id)
                jobs.change_status(connection, "cancel_waiting", id=job_id)
        while left := {job_id for job_id in left if not self._has_ended(job_id)}:
            if time.monotonic() > until_s:
                raise ServiceUnavailable(
                    f"{len(left)} jobs, such as {min(left)}: still running; try again later"
                )
            time.sleep(_POLL_S)

    def _has_ended(self, job_id: UUID) -> bool:
        with self.database.transaction() as connection:
            # As the mirror does, which may not be running.
            reason = {"code": "lease_lost", "message": "no heartbeat of its worker"}
            jobs.change_status(connection, "expire", id=job_id, **reason)
            job = jobs.find(connection, job_id)
        return job is None or job.is_terminal

    def _results(self, found: Sequence[jobs.Job]) -> Iterator[str]:
        for job in found:
            for stored in self.storage.list(f"{RESULTS_PREFIX}{job.id}/"):
                yield stored.key

    def _inputs(self, found: Sequence[jobs.Job], target: SongTarget | UserTarget) -> Iterator[str]:
        """Yield uploads that jobs read and that still are the song."""
        if not isinstance(target, SongTarget):
            return
        texts = {text for job in found for text in _texts(job.input_data)}
        for address in sorted(texts):
            try:
                key = self.storage.key_of(address) or address
                if not key.startswith(RESULTS_PREFIX) and self._sha256(key) == target.sha256:
                    yield key
            except (InvalidInput, TooLarge):  # no address, foreign, deleted, or too large
                continue

    def _sha256(self, key: str) -> str:
        with tempfile.TemporaryDirectory(dir=self.settings.worker.scratch) as folder:
            path = Path(folder) / "input"
            self.storage.get(key, path, max_bytes=self.settings.inputs.max_fetch_bytes)
            return file_sha256(path)

    def _uploads(self, user_id: UUID) -> Iterator[str]:
        for prefix in self.settings.inputs.input_prefixes:
            if _USER_PLACEHOLDER in prefix:  # other prefixes are shared by all users
                for stored in self.storage.list(prefix.format(user_id=user_id)):
                    yield stored.key

    def _delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _BATCH):
            self.storage.delete(keys[start : start + _BATCH])

    def _delete_rows(self, job_ids: Sequence[UUID]) -> list[UUID]:
        """Delete ended jobs with all of their rows; return the mashups that lost stems."""
        with self.database.transaction() as connection:
            rows = select(connection, "takedown.purge_jobs", jobs=list(job_ids))
        if self.redis is not None:
            for start in range(0, len(job_ids), _BATCH):
                keys = [status_key(job_id) for job_id in job_ids[start : start + _BATCH]]
                self.redis.delete(*keys)
        logger.info("purged %d jobs", len(job_ids))
        return [row["id"] for row in rows]


def _texts(document: Any) -> set[str]:
    """Return every string in a job's input, each of which may be an address."""
    if isinstance(document, str):
        return {document}
    if isinstance(document, dict):
        return set().union(*(_texts(value) for value in document.values()))
    if isinstance(document, list):
        return set().union(*(_texts(value) for value in document))
    return set()
