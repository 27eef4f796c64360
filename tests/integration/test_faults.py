"""One fault at a time, with real processes and servers."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from mashup_worker.db.database import Database
from mashup_worker.errors import EXIT_FAILED
from mashup_worker.queue.redis_client import connect
from mashup_worker.queue.wakeups import FUNCTION, rq_queue
from mashup_worker.settings import ResultSettings, ServiceSettings, StorageSettings
from mashup_worker.worker.orphans import sweep_results
from tests.chaos.arena import DEADLINE_S, started, until

if TYPE_CHECKING:
    from tests.chaos.arena import Arena

LEASE_S, POLL_S = 2.0, 0.5


def restart_all(place: Arena) -> None:
    for process in place.processes:
        process.start()


def keys_of(place: Arena, row: dict[str, object]) -> set[str]:
    return {one.key for one in place.storage().list(f"jobs/{row['id']}/{row['attempt']}/")}


def wait_for_kill(place: Arena) -> None:
    """Wait until the injected fault has killed the last process."""
    process = place.processes[-1].process
    assert process is not None
    assert process.wait(DEADLINE_S) == -signal.SIGKILL


@pytest.mark.parametrize(
    "step",
    [
        *("claimed", "publishing"),
        *(pytest.param(step, marks=pytest.mark.slow) for step in ("working", "uploaded")),
    ],
)
def test_a_worker_killed_before_the_commit_costs_one_attempt(place: Arena, step: str) -> None:
    started(place)
    place.inject(step)
    job = place.insert()
    wait_for_kill(place)
    restart_all(place)
    row = place.ended(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("completed", 2, 1)
    keys = {stem["key"] for stem in row["output_data"]["stems"]}
    assert keys == keys_of(place, row)


def test_an_idle_worker_takes_over_once_the_lease_has_ended(place: Arena) -> None:
    started(place, processes=2)
    usual = place.ended(place.insert())
    usual_s = (usual["started_at"] - usual["created_at"]).total_seconds()
    place.inject("working")
    job = place.insert()
    until(lambda: not (place.faults / "working").exists(), "the first attempt to be killed")
    killed_at = place.now()
    row = place.ended(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("completed", 2, 1)
    # The last renewal of the lease came before the kill; the rest is for a loaded machine.
    most_s = LEASE_S + POLL_S + 3 + 20 * usual_s
    assert (row["started_at"] - killed_at).total_seconds() < most_s


def test_a_worker_killed_after_the_commit_changes_nothing(place: Arena) -> None:
    started(place)
    place.inject("published")
    job = place.insert()
    wait_for_kill(place)
    row = place.ended(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("completed", 1, 0)
    until(lambda: place.redis.hget(f"ai_jobs:{job}", "status") == "completed", "Redis to know")


def test_a_job_that_kills_its_worker_fails_in_the_end(place: Arena) -> None:
    started(place)
    killer, good = place.insert("inputs/killer"), place.insert()

    def has_failed() -> bool:
        restart_all(place)
        return bool(place.job(killer)["status"] == "failed")

    until(has_failed, "the killer to fail")
    row = place.job(killer)
    assert (row["error_code"], row["failures"], row["attempt"]) == ("lease_lost", 3, 3)
    assert "attempt 3" in row["error_message"]
    assert place.ended(good)["status"] == "completed"


@pytest.mark.parametrize("fault", ["lost", pytest.param("illegal", marks=pytest.mark.slow)])
def test_a_worker_whose_device_is_lost_ends_and_its_job_is_retried(
    place: Arena, fault: str
) -> None:
    """Every later job of the process would fail as well."""
    started(place)
    place.inject(fault)
    job = place.insert()
    process = place.processes[-1].process
    assert process is not None
    assert process.wait(DEADLINE_S) == EXIT_FAILED
    row = place.job(job)
    assert (row["status"], row["failures"]) == ("queued", 1)
    restart_all(place)
    row = place.ended(job)
    assert (row["status"], row["attempt"], row["failures"]) == ("completed", 2, 1)


def test_a_commit_without_an_answer_counts_once(place: Arena) -> None:
    with place.sql() as connection:
        mashup = uuid4()
        connection.execute("INSERT INTO public.mashups (id) VALUES (%s)", [mashup])
    started(place)
    place.inject("cut")
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


def test_a_worker_stopped_past_its_lease_publishes_nothing(place: Arena) -> None:
    started(place, duration_s=0.5)
    place.inject("stop")
    job = place.insert()
    until(lambda: place.job(job)["status"] == "processing", "the first attempt")
    until(lambda: place.job(job)["failures"] == 1, "the lease to run out")
    place.processes[-1].send(signal.SIGCONT)

    def has_completed() -> bool:
        restart_all(place)
        return bool(place.job(job)["status"] == "completed")

    until(has_completed, "the job to complete")
    row = place.job(job)
    assert row["attempt"] == 2
    assert keys_of(place, row) == {stem["key"] for stem in row["output_data"]["stems"]}


def test_a_worker_that_holds_the_interpreter_dies_before_its_lease_ends(place: Arena) -> None:
    started(place, MASHUP_LEASE_S="5")
    place.inject("hold")
    job = place.insert()
    until(lambda: place.job(job)["status"] == "processing", "the attempt")
    mirror, worker = place.processes
    mirror.send(signal.SIGSTOP)  # it would take the job from the row's worker
    assert worker.process is not None
    worker.process.wait(DEADLINE_S)
    ended_at = datetime.now(UTC)
    row = place.job(job)
    assert row["status"] == "processing"
    assert ended_at < row["lease_expires_at"], "the process outlived its lease"
    mirror.send(signal.SIGCONT)
    restart_all(place)
    assert place.ended(job)["status"] == "completed"


def test_jobs_continue_while_redis_is_down(place: Arena) -> None:
    started(place, duration_s=0.3)
    jobs = [place.insert() for _ in range(6)]
    until(lambda: place.job(jobs[0])["status"] == "processing", "the first to run")
    place.stack.servers["valkey"].kill()
    until(lambda: place.job(jobs[0])["status"] == "completed", "work to go on without Redis")
    place.stack.servers["valkey"].start()
    for job in jobs:
        assert place.ended(job)["status"] == "completed"
    process = place.processes[-1].process
    assert process is not None
    assert process.poll() is None, "a restart would lose the loaded models"
    until(
        lambda: all(place.redis.hget(f"ai_jobs:{job}", "progress") == "100" for job in jobs),
        "Redis to know all",
    )


def test_a_flushed_redis_is_filled_again_by_a_poll(place: Arena) -> None:
    started(place, MASHUP_LISTEN="off")
    ended = place.insert()
    place.ended(ended)
    place.redis.flushall()
    job = place.insert()
    until(lambda: place.job(job)["status"] != "queued", "the job to be found")
    until(
        lambda: place.redis.hget(f"ai_jobs:{ended}", "status") == "completed",
        "Redis to know the completed job",
    )


def test_jobs_survive_a_restart_of_postgres(place: Arena) -> None:
    started(place, duration_s=0.5, MASHUP_LEASE_S="20")
    jobs = [place.insert() for _ in range(4)]
    until(lambda: place.job(jobs[0])["status"] == "processing", "the first to run")
    place.stack.servers["postgres"].stop()
    place.stack.servers["postgres"].start()
    for job in jobs:
        assert place.ended(job)["status"] == "completed"
    assert all(one.process and one.process.poll() is None for one in place.processes)


def test_an_outage_longer_than_the_lease_leaves_the_models_loaded(place: Arena) -> None:
    started(place, duration_s=2.0)
    job = place.insert()
    until(lambda: (place.job(job)["progress"] or 0) > 5, "some progress")
    place.stack.servers["postgres"].stop()
    time.sleep(2 * LEASE_S)
    place.stack.servers["postgres"].start()
    row = place.ended(job)
    assert (row["status"], row["error_code"]) == ("completed", None)
    assert row["attempt"] == 2
    assert all(one.process and one.process.poll() is None for one in place.processes)


def test_a_refusing_s3_is_tried_again(place: Arena) -> None:
    started(place, MASHUP_LEASE_S="20")
    place.s3_proxy.set_mode("refuse")
    job = place.insert()
    until(lambda: place.job(job)["failures"] == 1, "the first failure")
    row = place.job(job)
    assert row["error_code"] == "storage_failed"
    assert "AWS" not in row["error_message"]
    place.s3_proxy.set_mode("pass")
    assert place.ended(job)["status"] == "completed"


def test_a_silent_s3_ends_in_a_timeout(place: Arena) -> None:
    started(place, MASHUP_JOB_TIMEOUT_S="2")
    place.s3_proxy.set_mode("hang")
    job = place.insert()
    until(lambda: place.job(job)["failures"] == 1, "the first failure")
    assert place.job(job)["error_code"] == "timeout"
    place.s3_proxy.set_mode("pass")

    def has_completed() -> bool:
        restart_all(place)
        return bool(place.job(job)["status"] == "completed")

    until(has_completed, "the job to complete")


def test_jobs_complete_although_the_mirror_is_killed(place: Arena) -> None:
    started(place)
    mirror = place.processes[0]
    mirror.send(signal.SIGKILL)
    job = place.insert()
    mirror.start()
    assert place.ended(job)["status"] == "completed"
    place.mirror()
    mirror.send(signal.SIGKILL)
    assert place.ended(place.insert())["status"] == "completed"


def test_a_sweep_deletes_only_objects_of_dead_attempts(place: Arena) -> None:
    started(place)
    place.inject("uploaded")
    job = place.insert()
    wait_for_kill(place)
    restart_all(place)
    row = place.ended(job)
    storage = StorageSettings(
        s3_endpoint_url=place.info.s3_endpoint_url, s3_bucket=place.info.bucket
    )
    settings = ServiceSettings(storage=storage, results=ResultSettings(orphan_grace_s=0.001))
    kept = {stem["key"] for stem in row["output_data"]["stems"]}
    with Database(place.info.worker_database_url) as database:
        dry = sweep_results(database, settings, dry_run=True)
        assert {one.key for one in place.storage().list(f"jobs/{job}/1/")} <= set(dry.removed)
        sweep_results(database, settings, dry_run=False)
    assert {one.key for one in place.storage().list(f"jobs/{job}/")} == kept


def test_a_running_job_can_be_canceled(place: Arena) -> None:
    started(place, duration_s=600.0)
    job = place.insert()
    until(lambda: (place.job(job)["progress"] or 0) > 5, "some progress")
    with place.sql() as connection:
        connection.execute(
            "UPDATE public.ai_jobs SET cancel_requested_at = now() WHERE id = %s", [job]
        )
    row = place.ended(job)
    assert (row["status"], row["output_data"]) == ("canceled", None)
    until(lambda: place.redis.hget(f"ai_jobs:{job}", "status") == "canceled", "Redis to know")


def test_a_cancellation_that_races_with_publishing_has_one_outcome(place: Arena) -> None:
    started(place, processes=2)
    jobs = [place.insert() for _ in range(30)]
    with place.sql() as connection:
        for job in jobs:
            until(lambda job=job: place.job(job)["status"] != "queued", "it to start")  # type: ignore[misc]
            connection.execute(
                "UPDATE public.ai_jobs SET cancel_requested_at = now() WHERE id = %s", [job]
            )
    for job in jobs:
        row = place.ended(job)
        assert (row["status"] == "completed") == (row["output_data"] is not None)
        assert row["status"] in ("completed", "canceled")


def test_sigterm_finishes_the_job_and_a_second_one_releases_it(place: Arena) -> None:
    started(place, duration_s=1.0)
    first = place.insert()
    # A job that is claimed but has not begun would be released at once.
    until(lambda: bool(place.job(first)["progress"]), "some progress")
    worker = place.processes[-1]
    assert worker.end() == 0
    assert place.job(first)["status"] == "completed"

    place.processes.pop()
    place.worker_process(600.0)
    second = place.insert()
    until(lambda: place.job(second)["status"] == "processing", "it to start")
    worker = place.processes[-1]
    worker.send(signal.SIGTERM)
    # The kernel merges equal signals that are pending.
    until(lambda: "SIGTERM: stopping" in worker.log.read_text(), "the first to arrive")
    worker.send(signal.SIGTERM)
    assert worker.process is not None
    assert worker.process.wait(DEADLINE_S) == 0
    row = place.job(second)
    assert (row["status"], row["failures"], row["attempt"]) == ("queued", 0, 1)


def test_a_job_that_runs_too_long_fails_with_a_timeout(place: Arena) -> None:
    started(place, duration_s=600.0, MASHUP_JOB_TIMEOUT_S="1")
    job = place.insert(max_attempts=1)
    row = place.ended(job)
    assert (row["status"], row["error_code"]) == ("failed", "timeout")


def test_only_retryable_errors_are_tried_again(place: Arena) -> None:
    started(place)
    broken = place.insert("inputs/broken")
    unknown = place.insert(job_type="dance")
    row = place.ended(broken)
    assert (row["error_code"], row["attempt"]) == ("invalid_input", 1)
    assert row["error_message"] == "input_data.audio: broken"
    row = place.ended(unknown)
    assert (row["error_code"], row["attempt"]) == ("invalid_input", 0)
    assert "'dance'" in row["error_message"]


def test_two_mirrors_start_each_job_once(place: Arena) -> None:
    place.mirror()
    started(place, processes=2)
    jobs = [place.insert() for _ in range(40)]
    for job in jobs:
        row = place.ended(job)
        assert (row["status"], row["attempt"]) == ("completed", 1)


def test_queue_entries_that_are_not_wakeups_are_dropped(place: Arena) -> None:
    started(place)
    mark = place.folder / "executed"
    with connect(place.info.redis_url) as client:
        queue = rq_queue("gpu", client)
        queue.enqueue_call("os.system", args=(f"touch {mark}",))
        queue.enqueue_call(FUNCTION, args=("no id",))
        queue.enqueue_call(FUNCTION, args=(str(uuid4()),))
        client.rpush(queue.key, "not-there")
    assert place.ended(place.insert())["status"] == "completed"
    assert not mark.exists()
