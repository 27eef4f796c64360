"""End of an attempt in Postgres, also after a COMMIT without an answer."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.database import OUTAGES, is_outage, reason_of
from mashup_worker.db.publishing import publish
from mashup_worker.errors import Canceled, InternalError, LeaseLost, MashupError, OutOfMemory
from mashup_worker.worker.lease import JobReleased

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mashup_worker.db.database import Connection, Database
    from mashup_worker.settings import ServiceSettings

logger = logging.getLogger(__name__)

_PAUSE_S = 0.25
_MAX_REFUSALS = 5
"""Number of tries against a held lock or a full disk."""

_MAX_MESSAGE_LETTERS = 2_000


@dataclass(frozen=True, kw_only=True)
class AttemptResult:
    """Result of a successful attempt.

    Attributes:
        output: `output_data` of the job.
        digest: digest of the work, by which later jobs find the result.
        source_sha256: digests of the files that the attempt read.
        source_jobs: jobs whose results the attempt read.
    """

    output: dict[str, Any]
    digest: str
    source_sha256: tuple[str, ...]
    source_jobs: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True)
class Finalizer:
    """Ends one attempt.

    Attributes:
        job: the job as claimed.
        claim: fence of the attempt.
        give_up_at_s: returns the monotonic time to give up, well before the lease ends.
        on_step: receives the steps `publishing` and `published`; tests kill the process there.
    """

    database: Database
    job: jobs.Job
    claim: jobs.Claim
    settings: ServiceSettings
    give_up_at_s: Callable[[], float]
    on_step: Callable[[str], None] = lambda _step: None

    def complete(self, result: AttemptResult) -> jobs.Job:
        """Publish the result: the row and the backend's tables in one transaction.

        Raises:
            Canceled: cancellation was requested before.
            LeaseLost: the job no longer belongs to this attempt.
        """

        def change(connection: Connection) -> jobs.Job | None:
            done = jobs.change_status(
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
            self.on_step("publishing")
            return done

        done = self._committed(change)
        self.on_step("published")
        if done is not None and done.status == "completed":
            return done
        now = self._read()
        if now is not None and self.claim.holds(now):
            if now.status == "completed":  # by an earlier COMMIT that was in flight
                return now
            if now.cancel_requested_at is not None:
                raise Canceled
        raise LeaseLost

    def end(self, error: Exception) -> jobs.Job | None:
        """End the attempt after an error; return None if the job no longer belongs to it.

        Raises:
            LeaseLost: the database was unreachable until the lease ended.
        """
        if isinstance(error, LeaseLost):
            return None
        if isinstance(error, JobReleased):
            return self._change("release")
        if isinstance(error, Canceled):
            return self._change("cancel_running")
        known = error if isinstance(error, MashupError) else _unexpected(error)
        reason = {"code": known.code, "message": _column_text(known.message)}
        if known.retryable:
            queued = self._change("retry", **reason, delay_s=self._delay_s())
            if queued is not None:
                return queued
        return self._change("fail", **reason)

    def _delay_s(self) -> float:
        limits = self.settings.attempts
        return min(limits.retry_max_s, limits.retry_base_s * 2.0 ** min(self.job.failures, 20))

    def _change(self, change: jobs.StatusChange, **parameters: Any) -> jobs.Job | None:
        return self._committed(
            lambda connection: jobs.change_status(
                connection, change, **self.claim.fence, **parameters
            )
        )

    def _committed(self, change: Callable[[Connection], jobs.Job | None]) -> jobs.Job | None:
        """Apply a change, through outages; return the job, or None if it is no longer ours."""
        refusals = 0
        while True:
            try:
                with self.database.transaction() as connection:
                    return change(connection)
            except OUTAGES as error:
                logger.warning("%s", reason_of(error))
                refusals += not is_outage(error)
                if refusals >= _MAX_REFUSALS:
                    raise
                time.sleep(_PAUSE_S)
            # Only the row shows whether a COMMIT without an answer succeeded. The fence would
            # reject our own success.
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
                if time.monotonic() > self.give_up_at_s():
                    raise LeaseLost from error
                time.sleep(_PAUSE_S)


def _column_text(message: str) -> str:
    """Return a message that fits a text column: short, and without null characters."""
    return message.replace("\0", "")[:_MAX_MESSAGE_LETTERS]


def _unexpected(error: Exception) -> MashupError:
    if isinstance(error, MemoryError):
        return OutOfMemory()
    return InternalError(f"{type(error).__name__}: {reason_of(error)}")
