"""One fault at a time, with real processes and servers."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from mashup_worker.db.database import Database
from mashup_worker.settings import ResultSettings, ServiceSettings, StorageSettings
from mashup_worker.worker.orphans import sweep_results
from tests.chaos.arena import started, until

if TYPE_CHECKING:
    from tests.chaos.arena import Arena

LEASE_S, SWEEP_S = 2.0, 0.5


def restarted(place: Arena) -> None:
    for actor in place.actors:
        actor.start()


def objects_of(place: Arena, row: dict[str, object]) -> set[str]:
    return {one.key for one in place.storage().list(f"jobs/{row['id']}/{row['attempt']}/")}


@pytest.mark.parametrize("point", ["claimed", "working", "uploaded", "publishing"])
def test_a_lane_killed_before_the_commit_costs_one_attempt(place: Arena, point: str) -> None:
    started(place)
    place.lay(point)
    job = place.insert()
    lane = place.actors[-1].process
    assert lane is not None
    assert lane.wait(20) == -signal.SIGKILL
    killed_s = time.monotonic()
    restarted(place)
    until(lambda: place.job(job)["attempt"] == 2, 20, "the second attempt")
    assert time.monotonic() - killed_s < LEASE_S + SWEEP_S + 3  # and what a start takes
    row = place.ended(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("completed", 2, 1)
    keys = {stem["key"] for stem in row["output_data"]["stems"]}
    assert keys == objects_of(place, row)


def test_a_lane_killed_after_the_commit_changes_nothing(place: Arena) -> None:
    started(place)
    place.lay("published")
    job = place.insert()
    lane = place.actors[-1].process
    assert lane is not None
    assert lane.wait(20) == -signal.SIGKILL
    row = place.ended(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("completed", 1, 0)
    until(lambda: place.redis.hget(f"ai_jobs:{job}", "status") == "completed", 5, "Redis to know")


def test_a_job_that_kills_its_worker_fails_in_the_end(place: Arena) -> None:
    started(place)
    killer, good = place.insert("inputs/killer"), place.insert()

    def ended() -> bool:
        restarted(place)
        return bool(place.job(killer)["status"] == "failed")

    until(ended, 60, "the killer to fail")
    row = place.job(killer)
    assert (row["error_code"], row["failures"], row["attempt"]) == ("lease_lost", 3, 3)
    assert "stopped answering in attempt 3" in row["error_message"]
    assert place.ended(good)["status"] == "completed"


def test_a_commit_that_nobody_acknowledged_counts_once(place: Arena) -> None:
    with place.sql() as connection:
        mashup = uuid4()
        connection.execute("INSERT INTO public.mashups (id) VALUES (%s)", [mashup])
    started(place)
    place.lay("cut")
    cuts = place.postgres_proxy.cuts
    job = place.insert(input_data=Jsonb({"audio": "x", "mashup_id": str(mashup)}))
    row = place.ended(job)
    assert place.postgres_proxy.cuts == cuts + 1
    assert (row["status"], row["attempt"], row["failures"]) == ("completed", 1, 0)
    with place.sql() as connection:
        rows = connection.execute("SELECT stems_count FROM public.mashups").fetchall()
        stems = connection.execute("SELECT job_id FROM public.stems").fetchall()
    assert [one["stems_count"] for one in rows] == [2]
    assert [one["job_id"] for one in stems] == [job, job]


def test_a_lane_that_slept_past_its_lease_publishes_nothing(place: Arena) -> None:
    started(place, lanes=1, duration_s=0.5)
    place.lay("stop")
    job = place.insert()
    until(lambda: place.job(job)["status"] == "processing", 10, "the first attempt")
    until(lambda: place.job(job)["failures"] == 1, 10, "the lease to run out")
    place.actors[-1].send(signal.SIGCONT)

    def ended() -> bool:
        restarted(place)
        return bool(place.job(job)["status"] == "completed")

    until(ended, 20, "the job to complete")
    row = place.job(job)
    assert row["attempt"] == 2
    assert objects_of(place, row) == {stem["key"] for stem in row["output_data"]["stems"]}


def test_native_code_that_holds_the_interpreter_ends_before_the_lease(place: Arena) -> None:
    started(place)
    place.lay("hold")
    job = place.insert()
    lane = place.actors[-1].process
    assert lane is not None
    lane.wait(20)
    row = place.job(job)
    with place.sql() as connection:
        left = connection.execute(
            "SELECT lease_expires_at > clock_timestamp() AS left FROM public.ai_jobs WHERE id = %s",
            [job],
        ).fetchone()
    assert row["status"] == "processing"
    assert left is not None
    assert left["left"], "it outlived its lease"
    restarted(place)
    assert place.ended(job)["status"] == "completed"


def test_redis_may_vanish(place: Arena) -> None:
    started(place, duration_s=0.3)
    jobs = [place.insert() for _ in range(6)]
    until(lambda: place.job(jobs[0])["status"] == "processing", 10, "the first to run")
    place.stack.valkey.kill()
    until(lambda: place.job(jobs[0])["status"] == "completed", 10, "work to go on without Redis")
    place.stack.valkey.start()
    for job in jobs:
        assert place.ended(job)["status"] == "completed"
    lane = place.actors[-1].process
    assert lane is not None
    assert lane.poll() is None, "the lane waited with its models"
    until(
        lambda: all(place.redis.hget(f"ai_jobs:{job}", "progress") == "100" for job in jobs),
        10,
        "Redis to know all",
    )


def test_a_flushed_redis_costs_a_sweep(place: Arena) -> None:
    started(place, MASHUP_LISTEN="off")
    ended = place.insert()
    place.ended(ended)
    place.redis.flushall()
    job = place.insert()
    until(lambda: place.job(job)["status"] != "queued", SWEEP_S + 2, "the job to be found")
    until(
        lambda: place.redis.hget(f"ai_jobs:{ended}", "status") == "completed",
        SWEEP_S + 2,
        "Redis to remember what had ended",
    )


def test_postgres_may_restart(place: Arena) -> None:
    started(place, duration_s=0.5)
    jobs = [place.insert() for _ in range(4)]
    until(lambda: place.job(jobs[0])["status"] == "processing", 10, "the first to run")
    place.stack.postgres.stop()
    place.stack.postgres.start()
    for job in jobs:
        assert place.ended(job)["status"] == "completed"
    assert all(actor.process and actor.process.poll() is None for actor in place.actors)


def test_an_outage_longer_than_the_lease_leaves_the_models_loaded(place: Arena) -> None:
    started(place, duration_s=2.0)
    job = place.insert()
    until(lambda: (place.job(job)["progress"] or 0) > 5, 10, "some progress")
    place.stack.postgres.stop()
    time.sleep(2 * LEASE_S)  # nothing tells of a lease while the database is away
    place.stack.postgres.start()
    row = place.ended(job)
    assert (row["status"], row["error_code"]) == ("completed", None)
    assert row["attempt"] == 2
    assert all(actor.process and actor.process.poll() is None for actor in place.actors)


def test_an_s3_that_refuses_is_tried_again(place: Arena) -> None:
    started(place, MASHUP_LEASE_S="20")
    place.s3_proxy.become("refuse")
    job = place.insert()
    until(lambda: place.job(job)["failures"] == 1, 40, "the first failure")
    row = place.job(job)
    assert row["error_code"] == "storage_failed"
    assert "AWS" not in row["error_message"]
    place.s3_proxy.become("pass")
    assert place.ended(job)["status"] == "completed"


def test_an_s3_that_never_answers_meets_the_timeout(place: Arena) -> None:
    started(place, MASHUP_JOB_TIMEOUT_S="2")
    place.s3_proxy.become("hang")
    job = place.insert()
    until(lambda: place.job(job)["failures"] == 1, 20, "the first failure")
    assert place.job(job)["error_code"] == "timeout"
    place.s3_proxy.become("pass")

    def ended() -> bool:
        restarted(place)
        return bool(place.job(job)["status"] == "completed")

    until(ended, 30, "the job to complete")


def test_a_mirror_that_is_killed_is_missed_by_nobody(place: Arena) -> None:
    started(place)
    mirror = place.actors[0]
    mirror.send(signal.SIGKILL)
    job = place.insert()
    mirror.start()
    assert place.ended(job)["status"] == "completed"
    place.mirror()
    mirror.send(signal.SIGKILL)
    assert place.ended(place.insert())["status"] == "completed"


def test_what_a_dead_attempt_left_is_swept_and_nothing_else(place: Arena) -> None:
    started(place)
    place.lay("uploaded")
    job = place.insert()
    lane = place.actors[-1].process
    assert lane is not None
    lane.wait(20)
    restarted(place)
    row = place.ended(job)
    storage = StorageSettings(
        s3_endpoint_url=place.info.s3_endpoint_url, s3_bucket=place.info.bucket
    )
    settings = ServiceSettings(storage=storage, results=ResultSettings(orphan_grace_s=0.001))
    named = {stem["key"] for stem in row["output_data"]["stems"]}
    with Database(place.info.worker_database_url) as database:
        tried = sweep_results(database, settings, dry_run=True)
        assert {one.key for one in place.storage().list(f"jobs/{job}/1/")} <= set(tried.removed)
        sweep_results(database, settings, dry_run=False)
    assert {one.key for one in place.storage().list(f"jobs/{job}/")} == named


def test_cancel_is_heard_while_a_job_runs(place: Arena) -> None:
    started(place, duration_s=20.0)
    job = place.insert()
    until(lambda: (place.job(job)["progress"] or 0) > 5, 10, "some progress")
    with place.sql() as connection:
        connection.execute(
            "UPDATE public.ai_jobs SET cancel_requested_at = now() WHERE id = %s", [job]
        )
    row = place.ended(job, 6)
    assert (row["status"], row["output_data"]) == ("canceled", None)
    until(lambda: place.redis.hget(f"ai_jobs:{job}", "status") == "canceled", 5, "Redis to know")


def test_cancel_and_publish_race_to_one_end(place: Arena) -> None:
    started(place, lanes=2)
    jobs = [place.insert() for _ in range(30)]
    with place.sql() as connection:
        for job in jobs:
            until(lambda job=job: place.job(job)["status"] != "queued", 20, "it to start")  # type: ignore[misc]
            connection.execute(
                "UPDATE public.ai_jobs SET cancel_requested_at = now() WHERE id = %s", [job]
            )
    for job in jobs:
        row = place.ended(job)
        assert (row["status"] == "completed") == (row["output_data"] is not None)
        assert row["status"] in ("completed", "canceled")


def test_sigterm_finishes_and_a_second_one_hands_back(place: Arena) -> None:
    started(place, duration_s=1.0)
    first = place.insert()
    # Not merely claimed: what has not begun is handed back at once.
    until(lambda: bool(place.job(first)["progress"]), 10, "it to be under way")
    lane = place.actors[-1]
    assert lane.end() == 0
    assert place.job(first)["status"] == "completed"

    place.actors.pop()
    place.lane(20.0)
    second = place.insert()
    until(lambda: place.job(second)["status"] == "processing", 20, "it to start")
    lane = place.actors[-1]
    lane.send(signal.SIGTERM)
    time.sleep(0.3)  # two signals at once are one to the system
    lane.send(signal.SIGTERM)
    assert lane.process is not None
    assert lane.process.wait(10) == 0
    row = place.job(second)
    assert (row["status"], row["failures"], row["attempt"]) == ("queued", 0, 1)


def test_a_job_that_takes_too_long_is_told_so(place: Arena) -> None:
    started(place, duration_s=30.0, MASHUP_JOB_TIMEOUT_S="1")
    job = place.insert(max_attempts=1)
    row = place.ended(job)
    assert (row["status"], row["error_code"]) == ("failed", "timeout")


def test_only_codes_that_may_pass_are_tried_again(place: Arena) -> None:
    started(place)
    broken = place.insert("inputs/broken")
    unknown = place.insert(job_type="dance")
    row = place.ended(broken)
    assert (row["error_code"], row["attempt"]) == ("invalid_input", 1)
    assert row["error_message"] == "input_data.audio: it is broken"
    row = place.ended(unknown)
    assert (row["error_code"], row["attempt"]) == ("invalid_input", 0)
    assert "'dance'" in row["error_message"]


def test_two_mirrors_start_each_job_once(place: Arena) -> None:
    place.mirror()
    started(place, lanes=2)
    jobs = [place.insert() for _ in range(40)]
    for job in jobs:
        row = place.ended(job)
        assert (row["status"], row["attempt"]) == ("completed", 1)


def test_entries_that_are_no_doorbells_are_dropped(place: Arena) -> None:
    """Whoever can write to Redis can't have a worker call anything."""
    from mashup_worker.queue.doorbell import queue_of
    from mashup_worker.queue.redis_client import connect

    started(place)
    mark = place.folder / "called"
    with connect(place.info.redis_url) as client:
        queue = queue_of("gpu", client)
        queue.enqueue_call("os.system", args=(f"touch {mark}",))
        queue.enqueue_call("mashup_worker.doorbell", args=("no id",))
        queue.enqueue_call("mashup_worker.doorbell", args=(str(uuid4()),))
        client.rpush(queue.key, "not-there")
    assert place.ended(place.insert())["status"] == "completed"
    assert not mark.exists()
