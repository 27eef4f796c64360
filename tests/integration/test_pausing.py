"""Paused queues start no jobs, also where claims and pauses race."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import redis
import yaml
from psycopg.rows import dict_row

from mashup_worker.db import jobs, queues
from mashup_worker.db.database import Database
from mashup_worker.errors import NotFound
from mashup_worker.queue.mirror import Mirror
from mashup_worker.queue.wakeups import notify, pending_wakeups, rq_queue
from mashup_worker.settings import QueueSettings
from tests.chaos.arena import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from mashup_worker.db.database import Connection
    from tests.chaos.arena import Arena

ROOT = Path(__file__).parents[2]
QUEUES: dict[str, Any] = {"gpu": ("separate", "mashup"), "cpu": ("analyze", "master")}


@pytest.fixture
def owner(migrated_url: str) -> Iterator[Connection]:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def database(migrated_url: str, worker_database_url: str) -> Iterator[Database]:
    assert migrated_url
    with Database(worker_database_url) as opened:
        yield opened


def start(connection: Connection, job: UUID) -> bool:
    """Claim a job as a worker of the queue `gpu` does; return whether it started."""
    if not queues.may_start(connection, QUEUES["gpu"]):
        return False
    claimed = jobs.change_status(
        connection, "claim", id=job, worker_id="w", lease_s=60, job_types=list(QUEUES["gpu"])
    )
    return claimed is not None


def run(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for_a_lock(owner: Connection) -> None:
    """Wait until a session waits for an advisory lock."""
    query = b"SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    until(lambda: bool(owner.execute(query).fetchall()), "a session to wait")


def test_a_paused_queue_gets_no_wakeups_and_other_queues_do(
    database: Database, owner: Connection, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        mirror = Mirror(database, client, QueueSettings(queues=QUEUES, poll_s=600))
        separation, analysis = (jobs.insert(owner, one, {}) for one in ("separate", "analyze"))
        assert queues.pause(owner, "gpu", QUEUES).paused_at is not None
        mirror.pass_once()
        assert pending_wakeups(rq_queue("gpu", client)) == set()
        assert pending_wakeups(rq_queue("cpu", client)) == {analysis.id}
        queues.resume(owner, "gpu", QUEUES)
        mirror.pass_once()
        assert pending_wakeups(rq_queue("gpu", client)) == {separation.id}


def test_a_pause_waits_for_claims_in_flight(database: Database, owner: Connection) -> None:
    job, later = jobs.insert(owner, "separate", {}), jobs.insert(owner, "separate", {})
    with database.transaction() as connection:
        assert start(connection, job.id)
        pausing = run(lambda: pause_alone(database))
        wait_for_a_lock(owner)
        assert not queues.paused(owner)
    pausing.join()
    assert [one.name for one in queues.paused(owner)] == ["gpu"]
    with database.transaction() as connection:
        assert not start(connection, later.id)


def test_a_claim_waits_for_a_pause_in_flight(database: Database, owner: Connection) -> None:
    job = jobs.insert(owner, "separate", {})
    started: list[bool] = []

    def claim() -> None:
        with database.transaction() as connection:
            started.append(start(connection, job.id))

    with database.transaction() as connection:
        queues.pause(connection, "gpu", QUEUES)
        claiming = run(claim)
        wait_for_a_lock(owner)
    claiming.join()
    assert started == [False]


def pause_alone(database: Database) -> None:
    with database.transaction() as connection:
        queues.pause(connection, "gpu", QUEUES)


def test_a_pause_is_kept_until_the_queue_is_resumed(owner: Connection) -> None:
    first = queues.pause(owner, "gpu", QUEUES)
    again = queues.pause(owner, "gpu", QUEUES)
    assert again.paused_at == first.paused_at
    with pytest.raises(NotFound, match="queue tape: not found; use one of gpu, cpu"):
        queues.pause(owner, "tape", QUEUES)
    with pytest.raises(NotFound, match="queue tape"):
        queues.resume(owner, "tape", QUEUES)
    # The settings may have changed meanwhile.
    assert [one.name for one in queues.all_queues(owner, {"main": ("separate",)})] == [
        "main",
        "gpu",
    ]
    assert queues.resume(owner, "gpu", {"main": ("separate",)}).paused_at is None
    assert queues.resume(owner, "cpu", QUEUES).job_types == ("analyze", "master")
    assert queues.paused(owner) == []


def test_autoscalers_count_running_jobs_and_those_that_may_start(owner: Connection) -> None:
    for job_type in ("separate", "separate", "mashup", "analyze"):
        jobs.insert(owner, job_type, {})
    running = jobs.insert(owner, "separate", {})
    assert start(owner, running.id)
    ended = jobs.insert(owner, "separate", {})
    jobs.change_status(owner, "reject", id=ended.id, code="x", message="x")
    assert queues.open_jobs(owner) == 5
    assert queues.open_jobs(owner, QUEUES["gpu"]) == 4
    assert queues.open_jobs(owner, ["master"]) == 0
    queues.pause(owner, "gpu", QUEUES)
    assert queues.open_jobs(owner) == 2
    assert queues.open_jobs(owner, QUEUES["gpu"]) == 1


def mashup(place: Arena, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mashup_worker", *arguments],
        env={**place.environment, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_commands_pause_and_resume_running_workers(place: Arena) -> None:
    worker, mirror = place.worker_process(1.0), place.mirror(MASHUP_POLL_S="600")
    until(lambda: worker.is_ready() and mirror.is_ready(), "all processes to be ready")
    running = place.insert()
    until(lambda: place.job(running)["status"] == "processing", "the first job to run")
    paused = mashup(place, "queue", "pause", "gpu", "--json")
    assert (paused.returncode, paused.stderr) == (0, "")
    assert json.loads(paused.stdout)["paused_at"]
    waiting = place.insert()
    assert place.ended(running)["status"] == "completed"
    with redis.Redis.from_url(place.info.redis_url) as client:
        queue = rq_queue("gpu", client)
        notify(queue, waiting, attempt=0, job_type="separate")  # as an older mirror would
        until(lambda: queue.count == 0, "the worker to take the wake-up")
        second = place.insert(job_type="separate")
        notify(queue, second, attempt=0, job_type="separate")
        until(lambda: queue.count == 0, "the worker to have refused the first")
    assert place.job(waiting)["status"] == "queued"
    listed = mashup(place, "jobs", "list", "--json")
    assert len(listed.stdout.splitlines()) == 3
    assert listed.stderr.startswith("queue gpu: paused since ")
    shown = mashup(place, "jobs", "show", str(waiting))
    assert "mashup queue resume gpu" in shown.stderr
    checked = mashup(place, "doctor", "--json")
    finding = next(one for one in json.loads(checked.stdout) if one["check"] == "queues")
    assert (finding["severity"], finding["details"]["paused"]) == ("warning", ["gpu"])
    assert mashup(place, "queue", "resume", "gpu").stdout == "queue gpu: jobs start\n"
    assert place.ended(waiting)["status"] == "completed"
    unknown = mashup(place, "queue", "pause", "tape")
    assert unknown.returncode == 2
    assert unknown.stderr == "mashup: queue tape: not found; use one of gpu\n"


def test_the_documented_autoscaler_counts_open_jobs(
    migrated_url: str, owner: Connection, request: pytest.FixtureRequest
) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("## Autoscaling\n")[2].partition("\n### ")[0]
    statements, objects = re.findall(r"```(?:sql|yaml)\n(.*?)```", section, re.DOTALL)
    request.addfinalizer(lambda: owner.execute("DROP OWNED BY keda; DROP ROLE keda"))
    owner.execute(statements.encode())
    authentication, scaled = yaml.safe_load_all(objects)
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    for _ in range(3):
        jobs.insert(owner, "separate", {})
    with psycopg.connect(migrated_url) as connection:
        connection.execute("SET SESSION AUTHORIZATION keda")
        assert connection.execute(trigger["metadata"]["query"].encode()).fetchone() == (3,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM ai_jobs")
