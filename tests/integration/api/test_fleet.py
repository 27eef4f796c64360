"""Figures of the fleet, and steering of its queues, through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import redis
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.monitoring.processes import TTL_S, ProcessReport, announce, withdraw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx2 import Response

    from tests.integration.api.world import World

SEPARATION = {
    "stems": [{"duration_s": 180.0}, {"duration_s": 180.0}],
    "timings_s": {"separate": 4.0, "device": 3.0},
}
MASTER = {"audio": {"duration_s": 60.0}, "timings_s": {"device": 0.0}}
FOREIGN = {"stems": "three", "audio": [1], "timings_s": {"device": "fast"}}
"""Output of a job that the backend's former service ran."""


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as opened:
        yield opened


def claimed(world: World, job_type: str, user: UUID | None, worker: str = "w") -> jobs.Job:
    job = jobs.insert(world.owner, job_type, {}, user_id=user)
    found = jobs.change_status(
        world.owner, "claim", id=job.id, worker_id=worker, lease_s=60, job_types=[job_type]
    )
    assert found is not None
    return found


def completed(
    world: World,
    job_type: str,
    user: UUID | None,
    output: object,
    *,
    waiting_s: float = 1.0,
    running_s: float = 5.0,
    ago: timedelta = timedelta(minutes=1),
) -> None:
    """Insert a job that was completed some time ago."""
    job = claimed(world, job_type, user)
    jobs.change_status(
        world.owner,
        "complete",
        id=job.id,
        attempt=1,
        worker_id="w",
        output=Jsonb(output),
        result_digest=None,
        source_sha256=[],
        source_jobs=[],
    )
    with world.owner.transaction():
        world.owner.execute("ALTER TABLE ai_jobs DISABLE TRIGGER ai_jobs_guard")
        world.owner.execute(
            "UPDATE ai_jobs SET completed_at = ended.at, updated_at = ended.at,"
            " started_at = ended.at - make_interval(secs => %(running_s)s),"
            " run_at = ended.at - make_interval(secs => %(running_s)s + %(waiting_s)s),"
            " created_at = ended.at - make_interval(secs => %(running_s)s + %(waiting_s)s)"
            " FROM (SELECT now() - %(ago)s AS at) AS ended WHERE id = %(id)s",
            {"id": job.id, "running_s": running_s, "waiting_s": waiting_s, "ago": ago},
        )
        world.owner.execute("ALTER TABLE ai_jobs ENABLE TRIGGER ai_jobs_guard")


def report(**values: Any) -> ProcessReport:
    return ProcessReport(
        **{
            "id": "host-1-abc",
            "host": "host",
            "pid": 1,
            "queue": "gpu",
            "version": "1",
            "state": "ready",
            "device": "cuda:0",
            "device_name": "NVIDIA H100 80GB HBM3",
            "models": ("htdemucs",),
            "memory_bytes": 5,
            "device_memory_bytes": {"reserved": 7},
            "unreachable": (),
            "uptime_s": 60.0,
            **values,
        }
    )


def fleet(world: World, **query: Any) -> dict[str, Any]:
    answer = world.client.get("/api/fleet", params=query, headers=world.as_service("operator"))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_only_operators_see_and_steer_the_fleet(world: World) -> None:
    others = (world.as_user(world.alice), world.as_service("read", "write"))
    acting = {**world.as_service(), "Mashup-User": str(world.alice)}
    for headers in (*others, acting):
        assert world.client.get("/api/fleet", headers=headers).status_code == 403
        for change in ("pause", "resume"):
            path = f"/api/fleet/queues/gpu/{change}"
            assert world.client.post(path, headers=headers).status_code == 403
    assert not world.rows("SELECT * FROM mashup_worker.paused_queues")


def test_open_jobs_are_counted_by_queue_and_tier(world: World) -> None:
    world.owner.execute(
        "INSERT INTO subscriptions (user_id, tier) VALUES (%s, 'pro')", [world.alice]
    )
    old = jobs.insert(world.owner, "separate", {}, user_id=world.alice)
    world.owner.execute(
        "UPDATE ai_jobs SET created_at = now() - interval '100 s' WHERE id = %s", [old.id]
    )
    jobs.insert(world.owner, "mashup", {}, user_id=world.alice)
    jobs.insert(world.owner, "separate", {}, user_id=world.bob)
    claimed(world, "analyze", None)
    (queue,) = fleet(world)["queues"]
    assert (queue["name"], queue["queued"], queue["running"]) == ("gpu", 3, 1)
    assert 100 <= queue["oldest_queued_s"] < 160
    free, none, pro = queue["tiers"]
    assert (free["tier"], free["queued"], free["running"]) == ("free", 1, 0)
    assert (none["tier"], none["running"], none["oldest_queued_s"]) == ("none", 1, None)
    assert (pro["tier"], pro["queued"], pro["running"]) == ("pro", 2, 0)


def test_processes_are_shown_with_their_jobs(world: World, client: redis.Redis) -> None:
    announce(client, report())
    announce(client, report(id="host-2-def", state="starting", device="cpu", device_name=None))
    client.set("mashup:process:host-3-bad", '{"id": 3}', ex=TTL_S)
    client.sadd("mashup:processes", "host-3-bad", "host-4-gone")
    job = claimed(world, "separate", world.alice, worker="host-1-abc")
    claim = jobs.Claim(id=job.id, attempt=1, worker_id="host-1-abc")
    jobs.heartbeat(world.owner, claim, lease_s=60, progress=40, stage="separate")
    busy, starting = fleet(world)["processes"]
    shown = busy.pop("job")
    assert 0 <= shown.pop("age_s") < 60
    assert shown == {
        "id": str(job.id),
        "job_type": "separate",
        "attempt": 1,
        "stage": "separate",
        "progress": 40,
    }
    assert 0 <= busy["heartbeat_age_s"] < TTL_S
    assert busy["uptime_s"] == pytest.approx(60.0 + busy["heartbeat_age_s"])
    assert (busy["device_name"], busy["models"]) == ("NVIDIA H100 80GB HBM3", ["htdemucs"])
    assert (starting["state"], starting["job"]) == ("starting", None)
    assert client.smembers("mashup:processes") == {b"host-1-abc", b"host-2-def"}
    withdraw(client, "host-1-abc")
    assert [one["id"] for one in fleet(world)["processes"]] == ["host-2-def"]


def test_throughput_is_divided_by_user_and_job_type(world: World) -> None:
    for waiting_s in (1.0, 2.0, 3.0):
        completed(world, "separate", world.alice, SEPARATION, waiting_s=waiting_s)
    completed(world, "master", world.bob, MASTER, running_s=20.0)
    completed(world, "separate", None, FOREIGN)
    completed(world, "separate", None, SEPARATION, ago=timedelta(hours=30))
    world.owner.execute(  # as for jobs that ended before these columns existed
        "UPDATE ai_jobs SET audio_s = NULL, device_s = NULL WHERE user_id IS DISTINCT FROM %s",
        [world.bob],
    )
    failed = jobs.insert(world.owner, "x" * 1_000, {}, user_id=world.bob)
    jobs.change_status(world.owner, "reject", id=failed.id, code="x", message="x")
    canceled = jobs.insert(world.owner, "separate", {}, user_id=world.alice)
    jobs.request_cancel(world.owner, canceled.id)
    jobs.change_status(world.owner, "cancel_waiting", id=canceled.id)
    total = fleet(world)["throughput"]["total"]
    assert (total["completed"], total["failed"], total["canceled"]) == (5, 1, 1)
    assert (total["audio_s"], total["device_s"], total["cost"]) == (600.0, 9.0, None)
    assert total["waiting_s"]["p50"] == pytest.approx(1.0)
    assert total["waiting_s"]["p95"] == pytest.approx(2.8)
    assert total["running_s"]["p50"] == pytest.approx(5.0)
    assert fleet(world, hours=48)["throughput"]["total"]["completed"] == 6
    by_user = fleet(world, group_by="user")["throughput"]["groups"]
    assert [one["group"] for one in by_user] == [str(world.alice), str(world.bob), None]
    assert [one["completed"] for one in by_user] == [3, 1, 1]
    by_type = fleet(world, group_by="job_type")["throughput"]
    assert by_type["group_by"] == "job_type"
    figures = {one["group"]: one for one in by_type["groups"]}
    assert {name: one["completed"] for name, one in figures.items()} == {
        "separate": 4,
        "master": 1,
        "other": 0,
    }
    assert figures["other"]["waiting_s"] is None


def test_invalid_periods_and_groups_are_refused(world: World) -> None:
    headers = world.as_service("operator")
    for query in ({"hours": 0}, {"hours": "nan"}, {"hours": 1e9}, {"group_by": "input_data"}):
        assert world.client.get("/api/fleet", params=query, headers=headers).status_code == 422


def test_queues_are_paused_and_resumed(world: World) -> None:
    headers = world.as_service("operator")
    for _ in range(2):
        paused = world.client.post("/api/fleet/queues/gpu/pause", headers=headers)
        assert paused.status_code == 200
        assert paused.json()["paused_at"]
    (queue,) = fleet(world)["queues"]
    assert queue["paused_at"] == paused.json()["paused_at"]
    for _ in range(2):
        resumed = world.client.post("/api/fleet/queues/gpu/resume", headers=headers)
        assert resumed.status_code == 200
        assert resumed.json()["paused_at"] is None
    for change in ("pause", "resume"):
        answer = world.client.post(f"/api/fleet/queues/{uuid4()}/{change}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_database_part_works_without_redis(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.insert(world.owner, "separate", {})
    context = world.client.app.state.context  # type: ignore[attr-defined]
    with redis.Redis.from_url("redis://127.0.0.1:1/0") as away:
        monkeypatch.setitem(context.__dict__, "redis", away)
        document = fleet(world)
    assert document["processes"] is None
    assert document["unreachable"] == ["Redis"]
    assert document["queues"][0]["queued"] == 1


def test_operators_see_and_steer_the_jobs_of_all_users(world: World) -> None:
    operator = world.as_service("operator")

    def call(method: str, path: str, **query: str) -> Response:
        address = f"/api/fleet/jobs{path}"
        return world.client.request(method, address, headers=operator, params=query)

    waiting = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    running = claimed(world, "master", world.bob)
    failed = jobs.insert(world.owner, "separate", {"audio": "public/a.mp3"}, user_id=world.bob)
    reason = {"code": "too_long", "message": "song.mp3: too long"}
    jobs.change_status(world.owner, "reject", id=failed.id, **reason)
    items = call("GET", "").json()["items"]
    assert {one["id"] for one in items} == {str(one.id) for one in (waiting, running, failed)}
    assert not {"input_data", "output_data"} & set(items[0])
    (found,) = call("GET", "", status="failed", job_type="separate").json()["items"]
    assert (found["user_id"], found["error_message"]) == (str(world.bob), "song.mp3: too long")
    first = call("GET", "", limit="2").json()
    second = call("GET", "", limit="2", cursor=first["next"]).json()
    assert (first["items"] + second["items"], second["next"]) == (items, None)
    for job in (waiting, running):
        canceled = call("POST", f"/{job.id}/cancel")
        assert (canceled.status_code, canceled.json()["id"]) == (202, str(job.id))
        assert canceled.json()["cancel_requested_at"] is not None
        assert "input_data" not in canceled.json()
    assert call("POST", f"/{failed.id}/cancel").status_code == 409
    assert call("POST", f"/{running.id}/retry").status_code == 409
    repeated = call("POST", f"/{failed.id}/retry")
    assert repeated.status_code == 202
    again = jobs.find(world.owner, UUID(repeated.json()["jobId"]))
    assert again is not None
    assert (again.user_id, again.retry_of) == (world.bob, failed.id)
    for action in ("cancel", "retry"):
        assert call("POST", f"/{uuid4()}/{action}").status_code == 404


def test_only_operators_reach_the_jobs_of_the_fleet(world: World) -> None:
    job = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    calls = (("GET", ""), ("POST", f"/{job.id}/cancel"), ("POST", f"/{job.id}/retry"))
    for headers in (world.as_user(world.alice), world.as_service("read", "write")):
        for method, path in calls:
            answer = world.client.request(method, f"/api/fleet/jobs{path}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    row = jobs.find(world.owner, job.id)
    assert row is not None
    assert row.cancel_requested_at is None
