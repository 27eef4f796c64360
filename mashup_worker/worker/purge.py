"""Takes down a song with all that was made from it, or all that is a user's."""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs, takedown
from mashup_worker.errors import InvalidInput, ServiceUnavailable, TooLarge
from mashup_worker.queue.status import key_of
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.objects import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    import redis

    from mashup_worker.db.database import Connection, Database
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage

logger = logging.getLogger(__name__)

_USER = "{user_id}"
_POLL_S = 0.25
_AT_ONCE = 500


@dataclass(frozen=True)
class SongTarget:
    """A song by the SHA-256 of its file: jobs that read it, and all that was made from theirs."""

    sha256: str

    def jobs(self, connection: Connection) -> list[jobs.Job]:
        """What has to go now."""
        return takedown.jobs_of_song(connection, self.sha256)


@dataclass(frozen=True)
class UserTarget:
    """All jobs and uploads of a user. What others made of their stems stays."""

    user_id: UUID

    def jobs(self, connection: Connection) -> list[jobs.Job]:
        """What has to go now."""
        return takedown.jobs_of_user(connection, self.user_id)


@dataclass(frozen=True)
class Purged:
    """What was removed, or would be.

    Attributes:
        jobs: their ids; their rows, and those of their stems, are gone.
        keys: objects.
        mashups: those that lost stems; None of their own rows is gone.
    """

    jobs: tuple[UUID, ...]
    keys: tuple[str, ...]
    mashups: tuple[UUID, ...]


@dataclass(frozen=True)
class Purge:
    """Removes objects first, then rows, then what Redis tells.

    So, cut off anywhere, it can be called again and finds what is left.

    Attributes:
        database: as its owner, or the service role: workers may not take anything down.
        storage, redis, settings: the services; no Redis where None.
    """

    database: Database
    storage: Storage
    redis: redis.Redis | None
    settings: ServiceSettings

    def run(self, target: SongTarget | UserTarget, *, dry_run: bool = False) -> Purged:
        """Remove everything; jobs under way are canceled first.

        Raises:
            ServiceUnavailable: a job does not end; nothing of it was removed.
            StorageFailed: the store can't be used.
        """
        job_ids: list[UUID] = []
        keys: list[str] = []
        mashups: set[UUID] = set()
        # Until nothing is found any more: a job may come while others are removed.
        while found := self._found(target):
            if not dry_run:
                self._end(found)
            here = [*self._results(found), *self._inputs(found, target)]
            job_ids += [job.id for job in found]
            keys += here
            if dry_run:
                break
            self._delete(here)
            mashups.update(self._forget([job.id for job in found]))
        if isinstance(target, UserTarget):
            uploads = list(self._uploads(target.user_id))
            keys += uploads
            if not dry_run:
                self._delete(uploads)
        return Purged(tuple(job_ids), tuple(dict.fromkeys(keys)), tuple(sorted(mashups)))

    def _found(self, target: SongTarget | UserTarget) -> list[jobs.Job]:
        with self.database.transaction() as connection:
            return target.jobs(connection)

    def _end(self, found: Sequence[jobs.Job]) -> None:
        """Cancel what has not ended, and wait until it has."""
        left = {job.id for job in found if not job.is_terminal}
        until_s = time.monotonic() + self.settings.attempts.lease_s + 2 * self.settings.queue.poll_s
        for job_id in left:
            with self.database.transaction() as connection:
                jobs.select(connection, "request_cancel", id=job_id)
                jobs.move(connection, "cancel_waiting", id=job_id)
        while left := {job_id for job_id in left if not self._has_ended(job_id)}:
            if time.monotonic() > until_s:
                raise ServiceUnavailable(f"{len(left)} jobs don't end, such as {min(left)}")
            time.sleep(_POLL_S)

    def _has_ended(self, job_id: UUID) -> bool:
        with self.database.transaction() as connection:
            # As a mirror would: there may be none.
            told = {"code": "lease_lost", "message": "its worker stopped answering"}
            jobs.move(connection, "expire", id=job_id, **told)
            job = jobs.find(connection, job_id)
        return job is None or job.is_terminal

    def _results(self, found: Sequence[jobs.Job]) -> Iterator[str]:
        for job in found:
            for there in self.storage.list(f"{RESULTS}{job.id}/"):
                yield there.key

    def _inputs(self, found: Sequence[jobs.Job], target: SongTarget | UserTarget) -> Iterator[str]:
        """Objects of our store that jobs read the song from, if they still are this song."""
        if not isinstance(target, SongTarget):
            return
        addresses = {address for job in found for address in _addresses(job.input_data)}
        for address in sorted(addresses):
            try:
                key = self.storage.key_of(address) or address
                if not key.startswith(RESULTS) and self._sha256(key) == target.sha256:
                    yield key
            except (InvalidInput, TooLarge):  # elsewhere, gone, or larger than any input
                continue

    def _sha256(self, key: str) -> str:
        with tempfile.TemporaryDirectory(dir=self.settings.worker.scratch) as folder:
            path = Path(folder) / "input"
            self.storage.get(key, path, max_bytes=self.settings.inputs.max_fetch_bytes)
            return file_sha256(path)

    def _uploads(self, user_id: UUID) -> Iterator[str]:
        for prefix in self.settings.inputs.input_prefixes:
            if _USER in prefix:  # what has no user in its name is everybody's
                for there in self.storage.list(prefix.format(user_id=user_id)):
                    yield there.key

    def _delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _AT_ONCE):
            self.storage.delete(keys[start : start + _AT_ONCE])

    def _forget(self, job_ids: Sequence[UUID]) -> list[UUID]:
        with self.database.transaction() as connection:
            mashups = takedown.purge_jobs(connection, job_ids)
        if self.redis is not None:
            for start in range(0, len(job_ids), _AT_ONCE):
                keys = [key_of(job_id) for job_id in job_ids[start : start + _AT_ONCE]]
                self.redis.delete(*keys)
        logger.info("purged %d jobs", len(job_ids))
        return mashups


def _addresses(document: Any) -> set[str]:
    """Every text in a job's input; whether it is an address shows when it is read."""
    if isinstance(document, str):
        return {document}
    if isinstance(document, dict):
        return set().union(*(_addresses(value) for value in document.values()))
    if isinstance(document, list):
        return set().union(*(_addresses(value) for value in document))
    return set()
