"""One attempt at a job, from the claim to the final status."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from mashup_worker.db import jobs
from mashup_worker.db.publishing import owns_mashup
from mashup_worker.db.queues import may_start
from mashup_worker.db.tiers import reject_over_quota, tier_of
from mashup_worker.errors import InvalidInput, LeaseLost, MashupError
from mashup_worker.logs import logging_job
from mashup_worker.queue.status import StatusView, write_status
from mashup_worker.queue.validation import read_input
from mashup_worker.storage.sources import RESULTS_PREFIX
from mashup_worker.tracing import job_trace
from mashup_worker.worker.attempt_metrics import AttemptMetrics
from mashup_worker.worker.finalize import AttemptResult, Finalizer
from mashup_worker.worker.handler import JobContext
from mashup_worker.worker.inputs import JobInputs
from mashup_worker.worker.lease import JobReleased, Lease
from mashup_worker.worker.progress import FETCH, UPLOAD, Progress
from mashup_worker.worker.scratch import scratch_folder
from mashup_worker.worker.uploads import Uploads, result_digest, reused_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from mashup_worker.monitoring.reports import AttemptReport
    from mashup_worker.queue.job_inputs import JobInput
    from mashup_worker.worker.context import WorkerContext
    from mashup_worker.worker.handler import Handler, Sources

logger = logging.getLogger(__name__)

_OF_INPUT = "input_data."
"""Beginning of every warning about a job's input."""


class Attempt:
    """Attempt at a claimed job."""

    def __init__(self, context: WorkerContext, job: jobs.Job) -> None:
        assert job.worker_id is not None, "a claimed job has a worker"  # noqa: S101
        self._context, self._job = context, job
        self._warnings: tuple[str, ...] = ()
        self._timings_s: dict[str, float] = {}
        claim = jobs.Claim(id=job.id, attempt=job.attempt, worker_id=job.worker_id)
        handler = context.handlers.get(job.job_type)
        self._metrics = AttemptMetrics(job.job_type)
        self._progress = Progress(handler.stages if handler else {})
        self._lease = Lease(
            context.database,
            context.redis,
            claim,
            progress=self._progress,
            settings=context.settings.attempts,
            finalize=self._end_stuck,
        )
        self._finalizer = Finalizer(
            database=context.database,
            job=job,
            claim=claim,
            settings=context.settings,
            give_up_at_s=lambda: self._lease.give_up_at_s,
            on_step=context.on_step,
        )

    def run(self) -> Exception | None:
        """Run the job and finalize it in every case; return the error that ended the attempt."""
        row = self._job
        attributes: dict[str, str | int] = {
            "mashup.job.id": str(row.id),
            "mashup.job.type": row.job_type,
            "mashup.job.attempt": row.attempt,
        }
        with (
            job_trace(f"job {row.job_type}", row.traceparent, attributes) as span,
            logging_job(str(row.id), row.attempt, lambda: self._progress.now()[1]),
        ):
            job, error = self._run()
            report = self._report(job, error)
            for stage, times in self._progress.stage_times().items():
                span.add_stage(stage, times.start_ns, times.end_ns)
            span.set_outcome(report.outcome, report.code)
        return error

    def release(self) -> None:
        """Stop at the next report of progress and release the job. Thread-safe."""
        self._lease.abort(JobReleased("the worker stops"))

    def _end_stuck(self, reason: Exception) -> None:
        self._report(self._finalizer.end(reason), reason)

    def _run(self) -> tuple[jobs.Job | None, Exception | None]:
        """Return the job, or None if it no longer belongs to this worker, and the error."""
        error: Exception | None = None
        job: jobs.Job | None = None
        try:
            with self._lease:
                self._context.on_step("claimed")
                self._write_status(self._job)
                try:
                    job = self._finalizer.complete(self._result())
                except Exception as caught:
                    error = caught
                    job = self._finalizer.end(caught)
        except LeaseLost as lost:
            error = lost
        return job, error

    def _result(self) -> AttemptResult:
        """Run the handler, or copy the results of an earlier job."""
        context, job = self._context, self._job
        with context.database.transaction() as connection:
            self._metrics.tier = tier_of(connection, job.user_id)
        request, self._warnings = read_input(job.job_type, job.input_data)
        self._check_mashup(request)
        handler = context.handlers[job.job_type]
        uploads = Uploads(
            storage=context.storage,
            prefix=f"{RESULTS_PREFIX}{job.id}/{job.attempt}/",
            on_progress=self._lease.report,
            on_step=context.on_step,
        )
        with scratch_folder(context.settings.worker.scratch) as name:
            folder = Path(name)
            inputs = JobInputs(
                storage=context.storage,
                database=context.database,
                settings=context.settings,
                user_id=job.user_id,
                folder=folder,
                on_progress=self._lease.report,
            )
            work = JobContext(
                request=request,
                folder=folder,
                inputs=inputs,
                models=context.models,
                on_progress=self._on_progress,
            )
            with self._timed(FETCH):
                sources = handler.fetch(work)
            self._warnings += tuple(inputs.warnings)
            sha256s = {name: inputs.digests[path] for name, path in sources.paths.items()}
            digest = result_digest(
                job.job_type, settings=handler.settings(work), facts=sources.facts, sha256s=sha256s
            )
            output = self._reused(digest, uploads)
            if output is None:
                output = self._computed(handler, work, sources, uploads)
        return AttemptResult(
            output=output,
            digest=digest,
            source_sha256=tuple(sorted(set(sha256s.values()))),
            source_jobs=tuple(sorted(inputs.source_jobs)),
        )

    def _computed(
        self, handler: Handler[Any], work: JobContext[JobInput], sources: Sources, uploads: Uploads
    ) -> dict[str, Any]:
        result = handler.run(work, sources)
        with self._timed(UPLOAD):
            stored = uploads.store(result.files)
        output: dict[str, Any] = result.output(stored).model_dump(mode="json")
        output["warnings"] = [*self._warnings, *output["warnings"]]
        output["timings_s"] = {**self._timings_s, **output["timings_s"]}
        return output

    def _reused(self, digest: str, uploads: Uploads) -> dict[str, Any] | None:
        context = self._context
        if not context.settings.results.reuse_results:
            return None
        output = reused_output(context.database, uploads, digest=digest, user_id=self._job.user_id)
        if output is not None:
            # Those of the input are of this job's own; those of the result come with it.
            of_result = [one for one in output["warnings"] if not one.startswith(_OF_INPUT)]
            output["warnings"] = [*self._warnings, *of_result]
            output["timings_s"] = {**self._timings_s, "device": 0.0}
        return output

    def _on_progress(self, stage: str, share: float) -> None:
        self._context.on_step("working")
        self._lease.report(stage, share)

    def _check_mashup(self, request: JobInput) -> None:
        mashup_id = getattr(request, "mashup_id", None)
        if mashup_id is None or not self._context.settings.results.writes_all_tables:
            return
        with self._context.database.transaction() as connection:
            if not owns_mashup(connection, mashup_id, self._job.user_id):
                raise InvalidInput(
                    f"input_data.mashup_id {mashup_id}: not found, or not a mashup of this user"
                )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self._timings_s[stage] = round(time.perf_counter() - started_s, 3)

    def _report(self, job: jobs.Job | None, error: Exception | None) -> AttemptReport:
        """Log the end of the attempt, and send it to Redis and to the supervisor."""
        self._log(job, error)
        self._write_status(job)
        report = self._metrics.report(job, error)
        self._context.send_report(report)
        return report

    def _write_status(self, job: jobs.Job | None) -> None:
        """Write the status to Redis now; the mirror would write it a little later."""
        if job is None:
            return
        try:
            write_status(self._context.redis, StatusView.from_job(job))
        except redis.RedisError as error:
            logger.warning("Redis: %s", error)

    def _log(self, job: jobs.Job | None, error: Exception | None) -> None:
        status = job.status if job else "lost to another worker"
        if error is None or isinstance(error, JobReleased | MashupError):
            reason = f" ({error})" if error else ""
            logger.info("%s after %.1f s%s", status, self._metrics.seconds, reason)
        else:
            logger.error("%s", status, exc_info=error)


def claim(context: WorkerContext, job_id: UUID, worker_id: str) -> jobs.Job | None:
    """Claim a job; return None if it must not start now, or not on this worker.

    No job of a paused queue starts, and a job over the limit of its user's tier fails instead.

    Raises:
        ServiceUnavailable, psycopg.OperationalError: Postgres is unreachable.
    """
    job_types = sorted(context.handlers)
    with context.database.transaction() as connection:
        if not may_start(connection, job_types):
            return None
        if context.settings.queue.enforce_quotas and reject_over_quota(connection, job_id):
            return None
        return jobs.change_status(
            connection,
            "claim",
            id=job_id,
            worker_id=worker_id,
            lease_s=context.settings.attempts.lease_s,
            job_types=job_types,
        )
