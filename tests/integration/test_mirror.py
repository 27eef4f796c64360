"""Passes of a mirror with Postgres and Valkey."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
from psycopg.rows import dict_row
from rq import Worker

from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.db.publishing import referenced_keys
from mashup_worker.errors import InvalidInput
from mashup_worker.queue.mirror import Mirror
from mashup_worker.queue.status import StatusView, write_status
from mashup_worker.queue.validation import read_input
from mashup_worker.queue.wakeups import pending_wakeups, rq_queue
from mashup_worker.settings import QueueSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def owner(migrated_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def mirror(migrated_url: str, worker_database_url: str, client: redis.Redis) -> Iterator[Mirror]:
    assert migrated_url
    with Database(worker_database_url) as database:
        yield Mirror(database, client, QueueSettings(poll_s=600, queue_depth=4))


def redis_status(client: redis.Redis, job: UUID) -> str | None:
    status = client.hget(f"ai_jobs:{job}", "status")
    return status.decode() if isinstance(status, bytes) else None


def waiting(client: redis.Redis) -> set[UUID]:
    return pending_wakeups(rq_queue("gpu", client))


def test_a_pass_wakes_workers_for_a_few_jobs_and_copies_all_statuses(
    mirror: Mirror, owner: psycopg.Connection[dict[str, Any]], client: redis.Redis
) -> None:
    """Includes more rows with the same `updated_at` than a page holds."""
    owner.execute(
        "INSERT INTO public.ai_jobs (job_type, input_data)"
        " SELECT 'separate', '{}' FROM generate_series(1, 1203)"
    )
    for _ in range(3):
        mirror.pass_once()
    assert len(waiting(client)) == client.llen(rq_queue("gpu", client).key) == 4
    copied = sum(1 for _ in client.scan_iter("ai_jobs:????????-*", count=1_000))
    assert copied == 1_203


def test_two_mirrors_send_no_more_wakeups_than_one(
    mirror: Mirror, owner: psycopg.Connection[dict[str, Any]], client: redis.Redis
) -> None:
    other = Mirror(mirror.database, client, mirror.settings)
    for _ in range(9):
        jobs.insert(owner, "separate", {})
    for _ in range(3):
        mirror.pass_once()
        other.pass_once()
    assert len(waiting(client)) == client.llen(rq_queue("gpu", client).key) == 4


def test_a_locked_row_does_not_delay_other_jobs(
    mirror: Mirror,
    owner: psycopg.Connection[dict[str, Any]],
    client: redis.Redis,
    migrated_url: str,
) -> None:
    held = jobs.insert(owner, "separate", {})
    jobs.change_status(
        owner, "claim", id=held.id, worker_id="w", lease_s=-1, job_types=["separate"]
    )
    with psycopg.connect(migrated_url) as holder:
        holder.execute("SELECT FROM public.ai_jobs WHERE id = %s FOR UPDATE", [held.id])
        free = jobs.insert(owner, "separate", {})
        mirror.pass_once()
        assert waiting(client) == {free.id}
        assert redis_status(client, free.id) == "queued"
    mirror.pass_once()
    now = jobs.find(owner, held.id)
    assert now is not None
    assert (now.status, now.failures) == ("queued", 1)


def test_a_redis_restored_from_an_old_snapshot_is_corrected(
    mirror: Mirror, owner: psycopg.Connection[dict[str, Any]], client: redis.Redis
) -> None:
    job = jobs.insert(owner, "separate", {})
    mirror.pass_once()
    snapshot = {key: client.dump(key) for key in client.scan_iter("ai_jobs*")}
    before = datetime.now(UTC) - timedelta(hours=1)
    owner.execute("ALTER TABLE public.ai_jobs DISABLE TRIGGER ai_jobs_guard")
    owner.execute(
        "UPDATE public.ai_jobs SET status = 'failed', updated_at = now() - interval '10 min'"
    )
    owner.execute("ALTER TABLE public.ai_jobs ENABLE TRIGGER ai_jobs_guard")
    mirror.pass_once()
    client.flushdb()
    for key, value in snapshot.items():
        client.restore(key, 0, value or b"")
    client.set("ai_jobs:mirrored", before.isoformat())
    assert redis_status(client, job.id) == "queued"
    mirror.pass_once()
    assert redis_status(client, job.id) == "failed"


def test_a_flush_during_a_pass_is_detected(
    mirror: Mirror, owner: psycopg.Connection[dict[str, Any]], client: redis.Redis
) -> None:
    old = jobs.insert(owner, "separate", {})
    mirror.pass_once()
    owner.execute("ALTER TABLE public.ai_jobs DISABLE TRIGGER ai_jobs_guard")
    owner.execute("UPDATE public.ai_jobs SET updated_at = now() - interval '1 hour'")
    owner.execute("ALTER TABLE public.ai_jobs ENABLE TRIGGER ai_jobs_guard")
    sync = mirror.status_sync
    original = sync._write

    def flushed(rows: list[dict[str, Any]]) -> None:
        client.flushdb()
        original(rows)

    jobs.insert(owner, "separate", {})
    sync._write = flushed  # type: ignore[method-assign]
    mirror.pass_once()
    sync._write = original  # type: ignore[method-assign]
    mirror.pass_once()
    assert redis_status(client, old.id) == "queued"


def test_dead_workers_are_not_counted(
    mirror: Mirror, owner: psycopg.Connection[dict[str, Any]], client: redis.Redis
) -> None:
    queue = rq_queue("gpu", client)
    for number in range(20):
        worker = Worker([queue], name=f"dead-{number}", connection=client)
        worker.register_birth()  # type: ignore[no-untyped-call]
        client.delete(worker.key)
    for _ in range(30):
        jobs.insert(owner, "separate", {})
    mirror.pass_once()
    assert len(waiting(client)) == 4


@pytest.mark.parametrize(
    "document",
    ["[" * 3_000 + "]" * 3_000, '{"audio": ' + "9" * 5_000 + "}"],
    ids=["deep", "endless number"],
)
def test_rows_that_python_cannot_parse_do_not_stop_the_queue(
    mirror: Mirror, owner: psycopg.Connection[dict[str, Any]], client: redis.Redis, document: str
) -> None:
    row = owner.execute(
        "INSERT INTO public.ai_jobs (job_type, input_data) VALUES ('separate', %s::jsonb)"
        " RETURNING id",
        [document],
    ).fetchone()
    assert row is not None
    mirror.pass_once()
    assert waiting(client) == {row["id"]}
    with mirror.database.transaction() as connection:
        job = jobs.find(connection, row["id"])
        assert len(jobs.recent(connection)) == 1
    assert job is not None
    with pytest.raises(InvalidInput, match="input_data"):
        read_input(job.job_type, job.input_data)


def test_the_server_sets_the_time_of_a_cancellation(
    owner: psycopg.Connection[dict[str, Any]], mirror: Mirror
) -> None:
    job = jobs.insert(owner, "separate", {})
    owner.execute("UPDATE public.ai_jobs SET cancel_requested_at = 'infinity'")
    owner.execute("UPDATE public.ai_jobs SET cancel_requested_at = NULL")
    asked = jobs.find(owner, job.id)
    assert asked is not None
    assert asked.cancel_requested_at is not None
    assert asked.cancel_requested_at < datetime.now(UTC) + timedelta(seconds=5)
    mirror.pass_once()
    now = jobs.find(owner, job.id)
    assert now is not None
    assert now.status == "canceled"


def test_jobs_are_canceled_at_their_deadlines(
    owner: psycopg.Connection[dict[str, Any]], mirror: Mirror
) -> None:
    insert = (
        "INSERT INTO ai_jobs (job_type, input_data, deadline)"
        " VALUES ('separate', '{}', now() + make_interval(secs => %s)) RETURNING id"
    )
    overdue, open_ = (owner.execute(insert, [late_s]).fetchone() for late_s in (-1, 5))
    assert overdue is not None
    assert open_ is not None
    assert mirror.pass_once() <= 5
    rows = owner.execute("SELECT id, status FROM ai_jobs").fetchall()
    assert {row["id"]: row["status"] for row in rows} == {
        overdue["id"]: "canceled",
        open_["id"]: "queued",
    }


def test_a_huge_input_is_refused(owner: psycopg.Connection[dict[str, Any]]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="256 KiB"):
        jobs.insert(owner, "separate", {"audio": os.urandom(200_000).hex()})


def test_objects_of_another_database_are_kept(
    owner: psycopg.Connection[dict[str, Any]], mirror: Mirror
) -> None:
    """Two environments may share a bucket by mistake; neither may remove the other's results."""
    job = jobs.insert(owner, "separate", {})
    jobs.change_status(owner, "reject", id=job.id, code="a", message="b")
    ours, foreign = f"jobs/{job.id}/1/vocals.flac", f"jobs/{uuid4()}/1/vocals.flac"
    with mirror.database.transaction() as connection:
        assert referenced_keys(connection, [ours, foreign, "jobs/other"]) == {foreign, "jobs/other"}


def test_late_writes_of_an_older_attempt_are_ignored(client: redis.Redis) -> None:
    job = uuid4()

    def write(attempt: int, state: str, progress: int) -> bool:
        view = StatusView(id=job, attempt=attempt, status=state, progress=progress, stage=None)
        return write_status(client, view)

    assert write(1, "processing", 40)
    assert not write(1, "processing", 30)
    assert write(1, "queued", 40)
    assert not write(1, "processing", 90)
    assert write(2, "processing", 10)
    assert not write(1, "failed", 40)
    assert write(2, "completed", 100)
    assert not write(2, "queued", 100)
    assert redis_status(client, job) == "completed"


def test_only_changes_are_published(client: redis.Redis) -> None:
    job = uuid4()
    with client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe("ai_jobs")
        for progress in (10, 10, 20, 20):
            view = StatusView(
                id=job, attempt=1, status="processing", progress=progress, stage="work"
            )
            write_status(client, view)
        client.publish("ai_jobs", "the end")
        messages = []
        while b"the end" not in messages:
            message = channel.get_message(timeout=60)
            messages += [message["data"]] if message else []
    assert len(messages) == 2 + 1
