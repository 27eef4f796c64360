"""One attempt at a job: from the claim to whatever its row says in the end."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from mashup_worker import __version__
from mashup_worker.db import jobs
from mashup_worker.db.publishing import owns_mashup
from mashup_worker.db.tiers import reject_over_quota, tier_of
from mashup_worker.errors import Canceled, InvalidInput, LeaseLost, MashupError
from mashup_worker.logs import logging_job
from mashup_worker.queue.contracts import read_input
from mashup_worker.queue.status import StatusMirror, StatusView
from mashup_worker.worker.account import Account
from mashup_worker.worker.lease import HandBackError, LeaseKeeper
from mashup_worker.worker.objects import RESULTS, JobInputs, Uploads
from mashup_worker.worker.progress import FETCH, UPLOAD, Progress
from mashup_worker.worker.scratch import scratch_prefix
from mashup_worker.worker.settle import Result, Settlement
from mashup_worker.worker.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from mashup_worker.db.database import Database
    from mashup_worker.monitoring.reports import AttemptReport
    from mashup_worker.queue.contracts import JobInput
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage
    from mashup_worker.worker.work import Handler, Models, Sources

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tools:
    """What attempts need, the same for all of a process.

    Attributes:
        settings: of the services.
        database, redis, storage: the services.
        models: networks that stay ready.
        handlers: what does each type of job.
        at: told of named points on the way: `claimed`, `working`, `uploaded`, `publishing`,
            `published`. For tests that end the process there.
        tell: takes a report of each attempt's end.
    """

    settings: ServiceSettings
    database: Database
    redis: redis.Redis
    storage: Storage
    models: Models
    handlers: Mapping[str, Handler]
    at: Callable[[str], None] = lambda _point: None
    tell: Callable[[AttemptReport], None] = lambda _report: None


@dataclass
class Attempt:
    """One attempt.

    Attributes:
        tools: what it needs.
        job: as it was claimed.
        warnings: what the output tells beside the result.
        timings_s: seconds spent outside the handler.
    """

    tools: Tools
    job: jobs.Job
    warnings: tuple[str, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
    _account: Account = field(init=False)
    _progress: Progress = field(init=False)
    _keeper: LeaseKeeper = field(init=False)
    _settlement: Settlement = field(init=False)

    def __post_init__(self) -> None:
        tools, job = self.tools, self.job
        assert job.worker_id is not None, "a claimed job has a worker"  # noqa: S101
        claim = jobs.Claim(job.id, job.attempt, job.worker_id)
        handler = tools.handlers.get(job.job_type)
        self._account = Account(job.job_type)
        self._progress = Progress(handler.stages if handler else {})
        self._settlement = Settlement(
            tools.database, job, claim, tools.settings, lambda: self._keeper.give_up_at_s, tools.at
        )
        self._keeper = LeaseKeeper(
            tools.database,
            StatusMirror(tools.redis),
            claim,
            self._progress,
            tools.settings,
            lambda reason: self._ended(self._settlement.end(reason), reason),
        )

    def run(self) -> Exception | None:
        """Work, and settle the job whatever happens; what went wrong, if anything did."""
        with logging_job(str(self.job.id), self.job.attempt, lambda: self._progress.now()[1]):
            done, error = self._run()
            self._ended(done, error)
        return error

    def _run(self) -> tuple[jobs.Job | None, Exception | None]:
        """The job afterwards, None where it is no longer ours, and what went wrong."""
        error: Exception | None = None
        done: jobs.Job | None = None
        try:
            with self._keeper:
                self.tools.at("claimed")
                self._tell(self.job)
                try:
                    done = self._settlement.complete(self._work())
                except Exception as caught:
                    error = caught
                    done = self._settlement.end(caught)
        except LeaseLost as lost:
            error = lost
        return done, error

    def _ended(self, done: jobs.Job | None, error: Exception | None) -> None:
        self._log(done, error)
        self._tell(done)
        self.tools.tell(self._account.report(done, error))

    def hand_back(self) -> None:
        """Stop at the next report and give the job back. From any thread."""
        self._keeper.abort(HandBackError("the worker stops"))

    def _work(self) -> Result:
        tools, job = self.tools, self.job
        with tools.database.transaction() as connection:
            self._account.tier = tier_of(connection, job.user_id)
        request, self.warnings = read_input(job.job_type, job.input_data)
        self._check_mashup(request)
        handler = tools.handlers[job.job_type]
        report = self._keeper.report
        uploads = Uploads(tools.storage, f"{RESULTS}{job.id}/{job.attempt}/", report, tools.at)
        with tempfile.TemporaryDirectory(
            prefix=scratch_prefix(os.getpid()),
            dir=tools.settings.worker.scratch,
            ignore_cleanup_errors=True,
        ) as name:
            folder = Path(name)
            inputs = JobInputs(
                tools.storage, tools.database, tools.settings, job.user_id, folder, report
            )
            work = Work(request, folder, inputs, tools.models, self._working)
            with self._timed(FETCH):
                sources = handler.gather(work)
            sha256s = {name: inputs.digests[path] for name, path in sources.paths.items()}
            digest = self._digest(handler.settings(work), sources.facts, sha256s)
            output = self._known(digest, uploads)
            if output is None:
                output = self._made(handler, work, sources, uploads)
        origins = tuple(sorted(set(sha256s.values()))), tuple(sorted(inputs.source_jobs))
        return Result(output, digest, *origins)

    def _made(
        self, handler: Handler, work: Work, sources: Sources, uploads: Uploads
    ) -> dict[str, Any]:
        """The output of the handler's work, stored, as JSON."""
        product = handler.make(work, sources)
        with self._timed(UPLOAD):
            stored = uploads.store(product.files)
        output: dict[str, Any] = product.output(stored).model_dump(mode="json")
        output["warnings"] = [*self.warnings, *output["warnings"]]
        output["timings_s"] = {**self.timings_s, **output["timings_s"]}
        return output

    def _working(self, stage: str, share: float) -> None:
        self.tools.at("working")
        self._keeper.report(stage, share)

    def _check_mashup(self, request: JobInput) -> None:
        mashup_id = getattr(request, "mashup_id", None)
        if mashup_id is None or not self.tools.settings.results.writes_all_tables:
            return
        with self.tools.database.transaction() as connection:
            if not owns_mashup(connection, mashup_id, self.job.user_id):
                raise InvalidInput(
                    f"input_data.mashup_id {mashup_id}: this user has no such mashup"
                )

    def _digest(
        self, settings: Mapping[str, Any], facts: Mapping[str, Any], sha256s: Mapping[str, str]
    ) -> str:
        """What decides about the result: the same digest, the same result."""
        parts = {
            "version": __version__,
            "job_type": self.job.job_type,
            "settings": dict(settings),
            "sources": dict(sha256s),
            "facts": dict(facts),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _known(self, digest: str, uploads: Uploads) -> dict[str, Any] | None:
        """The output of a job that did the same work, as this job's own."""
        if not self.tools.settings.results.reuse_results:
            return None
        with self.tools.database.transaction() as connection:
            rows = jobs.select(
                connection, "with_result", result_digest=digest, user_id=self.job.user_id
            )
        for earlier in jobs.jobs_of(rows):
            output = uploads.take_over(earlier.output_data)
            if output is not None:
                output["reused_job_id"] = str(earlier.id)
                output["warnings"] = list(self.warnings)
                output["timings_s"] = {**self.timings_s, "device": 0.0}
                return output
        return None

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self.timings_s[stage] = round(time.perf_counter() - started_s, 3)

    def _tell(self, job: jobs.Job | None) -> None:
        """Tell Redis at once; the mirror would a little later."""
        if job is None:
            return
        try:
            StatusMirror(self.tools.redis).write(StatusView.of(job))
        except redis.RedisError as error:
            logger.warning("Redis: %s", error)

    def _log(self, done: jobs.Job | None, error: Exception | None) -> None:
        status = done.status if done else "not ours any more"
        if error is None or isinstance(error, Canceled | HandBackError | MashupError):
            why = f" ({error})" if error else ""
            logger.info("%s after %.1f s%s", status, self._account.seconds, why)
        else:
            logger.error("%s", status, exc_info=error)


def claim(tools: Tools, job_id: UUID, worker_id: str) -> jobs.Job | None:
    """Claim a job whose doorbell rang; None where it is not to be done now, or not by this worker.

    A job that its user's tier does not allow any more fails instead.

    Raises:
        ServiceUnavailable, psycopg.OperationalError: Postgres is away.
    """
    with tools.database.transaction() as connection:
        if tools.settings.queue.enforce_quotas and reject_over_quota(connection, job_id):
            return None
        return jobs.move(
            connection,
            "claim",
            id=job_id,
            worker_id=worker_id,
            lease_s=tools.settings.attempts.lease_s,
            job_types=sorted(tools.handlers),
        )
