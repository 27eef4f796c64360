"""Figures of the fleet from real worker processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.chaos.arena import until

if TYPE_CHECKING:
    from tests.chaos.arena import Arena, Managed


def mashup(place: Arena, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mashup_worker", "fleet", *arguments],
        env={**place.environment, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def fleet(place: Arena, *arguments: str, **more: str) -> dict[str, Any]:
    done = mashup(place, "--json", *arguments, **more)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def process_of(worker: Managed, found: dict[str, Any]) -> dict[str, Any] | None:
    assert worker.process is not None
    return next((one for one in found["processes"] if one["pid"] == worker.process.pid), None)


def state_of(worker: Managed, found: dict[str, Any]) -> str | None:
    process = process_of(worker, found)
    return None if process is None else str(process["state"])


def test_a_process_announces_itself_and_its_job(place: Arena) -> None:
    worker, mirror = place.worker_process(30.0), place.mirror()
    until(lambda: worker.is_ready() and mirror.is_ready(), "all processes to be ready")
    job = place.insert()
    until(lambda: (place.job(job)["progress"] or 0) > 4, "the job to progress")
    until(lambda: process_of(worker, fleet(place)) is not None, "the announcement")
    found = process_of(worker, fleet(place))
    assert found is not None
    assert found["id"] == place.job(job)["worker_id"]
    assert found["job"]["id"] == str(job)
    assert (found["job"]["stage"], found["job"]["attempt"]) == ("work", 1)
    assert 4 < found["job"]["progress"] < 100
    assert (found["queue"], found["state"], found["device"]) == ("gpu", "ready", "cpu")
    assert (found["models"], found["host"]) == (["fast"], os.uname().nodename)
    assert found["memory_bytes"] > 10_000_000
    assert 0 < found["job"]["age_s"] < found["uptime_s"]
    assert worker.process is not None
    worker.process.kill()
    worker.process.wait()
    client = place.redis
    key = f"mashup:process:{found['id']}"
    assert 0 < int(client.pttl(key)) < 60_000
    client.pexpire(key, 1)
    until(lambda: process_of(worker, fleet(place)) is None, "the announcement to expire")


def test_a_process_that_stops_disappears_at_once(place: Arena) -> None:
    worker = place.worker_process()
    until(lambda: state_of(worker, fleet(place)) == "ready", "the process to be ready")
    assert worker.end() == 0
    assert fleet(place)["processes"] == []


def test_cost_and_tables_of_ended_jobs(place: Arena) -> None:
    worker, mirror = place.worker_process(), place.mirror()
    until(lambda: worker.is_ready() and mirror.is_ready(), "all processes to be ready")
    for job in [place.insert(), place.insert()]:
        assert place.ended(job)["status"] == "completed"
    options = ("--group-by", "job_type", "--hours", "2")
    figures = fleet(place, *options, MASHUP_DEVICE_HOUR_COST="3600")["throughput"]
    assert figures["hours"] == 2
    (separations,) = figures["groups"]
    assert (separations["group"], separations["completed"]) == ("separate", 2)
    assert separations["audio_s"] == 2.0
    assert abs(separations["cost"] - 0.2) < 1e-9  # 0.1 s of the device each, at one unit a second
    assert 0 < separations["running_s"]["p50"] <= separations["running_s"]["p95"]
    until(lambda: process_of(worker, fleet(place)) is not None, "the announcement")
    shown = mashup(place, *options)
    assert shown.returncode == 0, shown.stderr
    for word in ("gpu", "1 worker process", "ready", "separate", "ended in the last 2 h"):
        assert word in shown.stdout
    assert mashup(place, "--group-by", "key").returncode == 2


def test_the_command_works_without_redis(place: Arena) -> None:
    place.insert()
    for url in ("redis://127.0.0.1:1/0", ""):
        document = fleet(place, REDIS_URL=url)
        assert document["processes"] is None
        assert document["unreachable"] == ["Redis"]
        assert document["queues"][0]["queued"] == 1
    assert "Redis is unreachable" in mashup(place, REDIS_URL="").stdout
