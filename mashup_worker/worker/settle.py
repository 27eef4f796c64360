"""How an attempt ends in Postgres, also where the answer to a COMMIT never arrives."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.database import OUTAGES, is_away, reason_of
from mashup_worker.db.publishing import publish
from mashup_worker.errors import Canceled, InternalError, LeaseLost, MashupError
from mashup_worker.worker.lease import HandBackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mashup_worker.db.database import Connection, Database
    from mashup_worker.settings import ServiceSettings

logger = logging.getLogger(__name__)

_PAUSE_S = 0.25
_MOST_REFUSALS = 5
"""A lock that is held, or a disk that is full, may pass, but not for ever."""

_LONGEST_MESSAGE = 2_000


@dataclass(frozen=True)
class Result:
    """What an attempt made.

    Attributes:
        output: the job's `output_data`.
        digest: of the work, for jobs that repeat it.
        source_sha256: digests of the files that it read.
        source_jobs: jobs whose results it read.
    """

    output: dict[str, Any]
    digest: str
    source_sha256: tuple[str, ...]
    source_jobs: tuple[UUID, ...]


@dataclass(frozen=True)
class Settlement:
    """Ends one attempt.

    Attributes:
        database: where the job is.
        job: as it was claimed.
        claim: whose attempt it is.
        settings: pauses between attempts, and whether other tables are written.
        until_s: when to give up, on the monotonic clock: well before the lease ends.
        at: told of named points on the way, for tests of what happens when it ends there.
    """

    database: Database
    job: jobs.Job
    claim: jobs.Claim
    settings: ServiceSettings
    until_s: Callable[[], float]
    at: Callable[[str], None] = lambda _point: None

    def complete(self, result: Result) -> jobs.Job:
        """Publish: the row, and whatever else the job promises, in one transaction.

        Raises:
            Canceled: somebody asked for that first.
            LeaseLost: the job is no longer ours.
        """

        def change(connection: Connection) -> jobs.Job | None:
            done = jobs.move(
                connection,
                "complete",
                **self.claim.fence,
                output=Jsonb(result.output),
                result_digest=result.digest,
                source_sha256=list(result.source_sha256),
                source_jobs=list(result.source_jobs),
            )
            if done is not None and self.settings.results.writes_all_tables:
                publish(connection, done.job_type, done.id)
            self.at("publishing")
            return done

        done = self._committed(change)
        self.at("published")
        if done is not None and done.status == "completed":
            return done
        now = self._read()
        if now is not None and self.claim.holds(now):
            if now.status == "completed":  # by a COMMIT that was still on its way
                return now
            if now.cancel_requested_at is not None:
                raise Canceled
        raise LeaseLost

    def end(self, error: Exception) -> jobs.Job | None:
        """End the attempt by what went wrong; None where the job was no longer ours.

        Raises:
            LeaseLost: the database could not be reached before the lease ended.
        """
        if isinstance(error, LeaseLost):
            return None
        if isinstance(error, HandBackError):
            return self._move("hand_back")
        if isinstance(error, Canceled):
            return self._move("stop")
        known = error if isinstance(error, MashupError) else _unforeseen(error)
        told = {"code": known.code, "message": _text(known.message)}
        if known.retryable:
            again = self._move("retry", **told, delay_s=self._delay_s())
            if again is not None:
                return again
        return self._move("fail", **told)

    def _delay_s(self) -> float:
        doubled = self.settings.attempts.retry_base_s * 2.0 ** min(self.job.failures, 20)
        return min(self.settings.attempts.retry_max_s, doubled)

    def _move(self, kind: jobs.Move, **parameters: Any) -> jobs.Job | None:
        return self._committed(
            lambda connection: jobs.move(connection, kind, **self.claim.fence, **parameters)
        )

    def _committed(self, change: Callable[[Connection], jobs.Job | None]) -> jobs.Job | None:
        """Make a change, through outages; the job afterwards, None where it was not ours."""
        refusals = 0
        while True:
            try:
                with self.database.transaction() as connection:
                    return change(connection)
            except OUTAGES as error:
                logger.warning("%s", reason_of(error))
                refusals += not is_away(error)
                if refusals >= _MOST_REFUSALS:
                    raise
                time.sleep(_PAUSE_S)
            # Whether a COMMIT arrived that nobody acknowledged, only the row can tell. Asking the
            # fence instead would take our own success for somebody else's.
            now = self._read()
            if now is None or not self.claim.holds(now):
                return None
            if now.status != "processing":
                return now

    def _read(self) -> jobs.Job | None:
        while True:
            try:
                with self.database.transaction() as connection:
                    return jobs.find(connection, self.job.id)
            except OUTAGES as error:
                if time.monotonic() > self.until_s():
                    raise LeaseLost from error
                time.sleep(_PAUSE_S)


def _text(message: str) -> str:
    """A message as a column takes it: not endless, and without the one character it refuses."""
    return message.replace("\0", "")[:_LONGEST_MESSAGE]


def _unforeseen(error: Exception) -> MashupError:
    from mashup_worker.errors import OutOfMemory

    if isinstance(error, MemoryError):
        return OutOfMemory()
    return InternalError(f"{type(error).__name__}: {reason_of(error)}")
