"""Status changes of jobs in random order, in Postgres and in a model that must agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.errors import InvalidInput, LeaseLost, StorageFailed
from mashup_worker.settings import AttemptSettings, ServiceSettings
from mashup_worker.worker.finalize import Finalizer

if TYPE_CHECKING:
    from mashup_worker.db.database import Connection

WORKERS = ("one", "two")
TERMINAL = ("completed", "failed", "canceled")


@dataclass
class Expected:
    """Expected state of a row."""

    max_attempts: int
    status: str = "queued"
    attempt: int = 0
    failures: int = 0
    worker: str | None = None
    overdue: bool = False
    cancel_requested: bool = False
    progress: int = 0
    completions: int = 0
    claims: list[jobs.Claim] = field(default_factory=list)


class JobMachine(RuleBasedStateMachine):
    """Random actions of clients, two workers and a mirror."""

    connection: Connection

    jobs_made = Bundle("jobs")
    claims_made = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[UUID, Expected] = {}

    @initialize()
    def start(self) -> None:
        self.connection.execute("TRUNCATE public.ai_jobs CASCADE")

    @rule(target=jobs_made, most=st.integers(1, 3))
    def insert(self, most: int) -> UUID:
        job = jobs.insert(self.connection, "separate", {"audio": "x"})
        self.connection.execute(
            "UPDATE public.ai_jobs SET max_attempts = %s WHERE id = %s", [most, job.id]
        )
        self.model[job.id] = Expected(most)
        return job.id

    @rule(target=claims_made, job=jobs_made, worker=st.sampled_from(WORKERS))
    def claim(self, job: UUID, worker: str) -> Any:
        expected = self.model[job]
        changed = jobs.change_status(
            self.connection, "claim", id=job, worker_id=worker, lease_s=60, job_types=["separate"]
        )
        if expected.status != "queued" or expected.cancel_requested:
            assert changed is None
            return multiple()
        assert changed is not None
        expected.status, expected.worker, expected.overdue = "processing", worker, False
        expected.attempt += 1
        expected.progress = 0
        assert changed.attempt == expected.attempt
        return jobs.Claim(id=job, attempt=changed.attempt, worker_id=worker)

    def holds(self, claim: jobs.Claim) -> bool:
        expected = self.model[claim.id]
        return (expected.status, expected.attempt, expected.worker) == (
            "processing",
            claim.attempt,
            claim.worker_id,
        )

    @rule(claim=claims_made, progress=st.integers(0, 100))
    def heartbeat(self, claim: jobs.Claim, progress: int) -> None:
        if not self.holds(claim):
            with pytest.raises(LeaseLost):
                jobs.heartbeat(self.connection, claim, lease_s=60, progress=progress, stage="work")
            return
        expected = self.model[claim.id]
        canceled = jobs.heartbeat(
            self.connection, claim, lease_s=60, progress=progress, stage="work"
        )
        assert canceled == expected.cancel_requested
        expected.progress = max(expected.progress, progress)
        expected.overdue = False

    @rule(claim=consumes(claims_made))
    def complete(self, claim: jobs.Claim) -> None:
        expected = self.model[claim.id]
        allowed = self.holds(claim) and not expected.cancel_requested
        changed = jobs.change_status(
            self.connection,
            "complete",
            **claim.fence,
            output=Jsonb({}),
            result_digest=None,
            source_sha256=[],
            source_jobs=[],
        )
        assert (changed is not None) == allowed
        if allowed:
            expected.status, expected.progress = "completed", 100
            expected.completions += 1

    @rule(claim=claims_made)
    def fail(self, claim: jobs.Claim) -> None:
        allowed = self.holds(claim)
        changed = jobs.change_status(self.connection, "fail", **claim.fence, code="a", message="b")
        assert (changed is not None) == allowed
        if allowed:
            self.model[claim.id].status = "failed"
            self.model[claim.id].failures += 1

    @rule(claim=claims_made)
    def retry(self, claim: jobs.Claim) -> None:
        expected = self.model[claim.id]
        allowed = self.holds(claim) and expected.failures + 1 < expected.max_attempts
        changed = jobs.change_status(
            self.connection, "retry", **claim.fence, code="a", message="b", delay_s=0
        )
        assert (changed is not None) == allowed
        if allowed:
            expected.status = "queued"
            expected.failures += 1

    @rule(claim=claims_made)
    def release(self, claim: jobs.Claim) -> None:
        allowed = self.holds(claim)
        changed = jobs.change_status(self.connection, "release", **claim.fence)
        assert (changed is not None) == allowed
        if allowed:
            self.model[claim.id].status = "queued"

    @rule(claim=claims_made)
    def cancel_running(self, claim: jobs.Claim) -> None:
        expected = self.model[claim.id]
        allowed = self.holds(claim) and expected.cancel_requested
        changed = jobs.change_status(self.connection, "cancel_running", **claim.fence)
        assert (changed is not None) == allowed
        if allowed:
            expected.status = "canceled"

    @rule(job=jobs_made)
    def request_cancel(self, job: UUID) -> None:
        if self.model[job].status in TERMINAL:
            with pytest.raises(InvalidInput):
                jobs.request_cancel(self.connection, job)
        else:
            jobs.request_cancel(self.connection, job)
            self.model[job].cancel_requested = True

    @rule(job=jobs_made)
    def cancel_waiting(self, job: UUID) -> None:
        expected = self.model[job]
        allowed = expected.status == "queued" and expected.cancel_requested
        changed = jobs.change_status(self.connection, "cancel_waiting", id=job)
        assert (changed is not None) == allowed
        if allowed:
            expected.status = "canceled"

    @rule(job=jobs_made)
    def reject(self, job: UUID) -> None:
        allowed = self.model[job].status == "queued"
        changed = jobs.change_status(self.connection, "reject", id=job, code="a", message="b")
        assert (changed is not None) == allowed
        if allowed:
            self.model[job].status = "failed"

    @rule(job=jobs_made)
    def lease_runs_out(self, job: UUID) -> None:
        expected = self.model[job]
        if expected.status == "processing":
            self.connection.execute(
                "UPDATE public.ai_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = %s",
                [job],
            )
            expected.overdue = True

    @rule(job=jobs_made)
    def expire(self, job: UUID) -> None:
        expected = self.model[job]
        allowed = expected.status == "processing" and expected.overdue
        changed = jobs.change_status(
            self.connection, "expire", id=job, code="lease_lost", message="b"
        )
        assert (changed is not None) == allowed
        if not allowed:
            return
        expected.failures += 1
        if expected.cancel_requested:
            expected.status = "canceled"
        else:
            out = expected.failures >= expected.max_attempts
            expected.status = "failed" if out else "queued"

    @rule(job=jobs_made, status=st.sampled_from(jobs.STATUSES))
    def set_status_directly(self, job: UUID, status: str) -> None:
        """Refuse a change that the transition table lacks."""
        now = self.model[job].status
        legal = {
            "queued": ("processing", "canceled", "failed"),
            "processing": ("completed", "failed", "canceled", "queued"),
        }
        if status == now or status in legal.get(now, ()):
            return
        with pytest.raises(psycopg.errors.CheckViolation):
            self.connection.execute(
                "UPDATE public.ai_jobs SET status = %s WHERE id = %s", [status, job]
            )

    @invariant()
    def rows_match_the_model(self) -> None:
        for job_id, expected in self.model.items():
            job = jobs.find(self.connection, job_id)
            assert job is not None
            seen = (job.status, job.attempt, job.failures, job.worker_id, job.progress)
            wanted = (
                expected.status,
                expected.attempt,
                expected.failures,
                expected.worker,
                expected.progress,
            )
            assert seen == wanted
            assert (job.completed_at is not None) == (expected.status in TERMINAL)
            assert (job.output_data is not None) == (expected.status == "completed")
            assert expected.completions <= 1


def test_rows_match_the_model_after_random_actions(migrated_url: str) -> None:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:

        class Machine(JobMachine):
            pass

        Machine.connection = connection
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=120,
                stateful_step_count=40,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_ended_rows_are_read_only(migrated_url: str) -> None:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        job = jobs.insert(connection, "separate", {"audio": "x"})
        jobs.change_status(connection, "reject", id=job.id, code="a", message="b")
        for change in ("progress = 3", "output_data = '{}'", "error_code = NULL", "attempt = 9"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(f"UPDATE public.ai_jobs SET {change} WHERE id = %s", [job.id])


def test_an_idempotency_key_is_unique(migrated_url: str) -> None:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        key = uuid4().hex
        jobs.insert(connection, "separate", {}, idempotency_key=key)
        with pytest.raises(psycopg.errors.UniqueViolation):
            jobs.insert(connection, "separate", {}, idempotency_key=key)
        jobs.insert(connection, "separate", {}, idempotency_key=f"{key} other")


def test_pauses_between_attempts_double_up_to_a_limit(migrated_url: str) -> None:
    config = ServiceSettings(attempts=AttemptSettings(retry_base_s=10, retry_max_s=60))
    with Database(migrated_url) as database:
        with database.transaction() as connection:
            job = jobs.insert(connection, "separate", {})
            connection.execute("UPDATE public.ai_jobs SET max_attempts = 9")
        pauses_s = []
        for attempt in range(1, 6):
            with database.transaction() as connection:
                connection.execute("UPDATE public.ai_jobs SET run_at = now()")
                claimed = jobs.change_status(
                    connection,
                    "claim",
                    id=job.id,
                    worker_id="w",
                    lease_s=60,
                    job_types=["separate"],
                )
            assert claimed is not None
            claim = jobs.Claim(id=job.id, attempt=attempt, worker_id="w")
            finalizer = Finalizer(
                database=database,
                job=claimed,
                claim=claim,
                settings=config,
                give_up_at_s=lambda: float("inf"),
            )
            again = finalizer.end(StorageFailed("no\0 disk"))
            assert again is not None
            assert (again.status, again.error_message) == ("queued", "no disk")
            pauses_s.append((again.run_at - again.updated_at).total_seconds())
            with database.transaction() as connection:
                early = jobs.change_status(
                    connection,
                    "claim",
                    id=job.id,
                    worker_id="w",
                    lease_s=60,
                    job_types=["separate"],
                )
            assert early is None
    assert pauses_s == pytest.approx([10, 20, 40, 60, 60], abs=0.5)
