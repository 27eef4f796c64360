"""Streams of a job's changes, from a real `mashup api`."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest
import redis
from psycopg.types.json import Jsonb

from mashup_worker.api.events import JobEvents
from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.db.reads import Reads
from mashup_worker.queue.status import CHANNEL, StatusView, write_status
from mashup_worker.settings import load_service_settings
from tests.integration.api.live import LiveDatabase, client_of, live_database
from tests.integration.api.process import ApiProcess, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    import psycopg

    from mashup_worker.stack.info import StackInfo
    from mashup_worker.stack.stack import Stack
    from tests.integration.api.world import World


@dataclass
class Worker:
    """Worker that runs one job of a user by hand.

    Attributes:
        publishes: whether it writes statuses to Redis.
    """

    owner: psycopg.Connection[dict[str, Any]]
    redis: redis.Redis
    job: jobs.Job
    publishes: bool = True

    def claim(self) -> None:
        self._change("claim", id=self.job.id, worker_id="w", lease_s=60, job_types=["separate"])

    def progress(self, percent: int, stage: str) -> None:
        jobs.heartbeat(self.owner, self._claim, lease_s=60, progress=percent, stage=stage)
        self.job = replace(self.job, progress=percent, stage=stage)
        self._publish()

    def complete(self) -> None:
        none: dict[str, Any] = {"result_digest": None, "source_sha256": [], "source_jobs": []}
        self._change("complete", **self._claim.fence, output=Jsonb({}), **none)

    def retry(self) -> None:
        error = {"code": "fetch_failed", "message": "no route to host"}
        self._change("retry", **self._claim.fence, **error, delay_s=0)

    @property
    def _claim(self) -> jobs.Claim:
        return jobs.Claim(id=self.job.id, attempt=self.job.attempt, worker_id="w")

    def _change(self, change: jobs.StatusChange, **parameters: Any) -> None:
        job = jobs.change_status(self.owner, change, **parameters)
        assert job is not None
        self.job = job
        self._publish()

    def _publish(self) -> None:
        if self.publishes:
            write_status(self.redis, StatusView.from_job(self.job))


@dataclass(frozen=True)
class Live:
    """Running API with its servers.

    Attributes:
        user: user with a tier without limits.
    """

    api: ApiProcess
    database: LiveDatabase
    owner: psycopg.Connection[dict[str, Any]]
    redis: redis.Redis
    user: UUID

    def worker(self) -> Worker:
        """Insert a job."""
        job = jobs.insert(self.owner, "separate", {"audio": "public/a"}, user_id=self.user)
        return Worker(self.owner, self.redis, job)

    @contextmanager
    def stream(self, job: UUID, last: str | None = None) -> Iterator[Iterator[dict[str, Any]]]:
        """Yield the events of a job."""
        headers = {} if last is None else {"Last-Event-ID": last}
        with (
            client_of(self.api, self.user) as client,
            client.stream("GET", f"/api/jobs/{job}/events", headers=headers) as answer,
        ):
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert answer.headers["X-Accel-Buffering"] == "no"
            yield events_of(answer)


def events_of(answer: httpx2.Response) -> Iterator[dict[str, Any]]:
    """Yield the data of each event, with its id."""
    data: dict[str, Any] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name == "data":
            data = json.loads(value)
        elif name == "id":
            data["id"] = value
        elif not line and data:
            yield data
            data = {}


def short(event: dict[str, Any]) -> tuple[str, str | None, int]:
    return event["status"], event["stage"], event["progress"]


@pytest.fixture(scope="module")
def live(services: StackInfo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    database = live_database(services)
    with (
        database.owner() as owner,
        database.api(tmp_path_factory.mktemp("scratch")) as api,
        redis.Redis.from_url(services.redis_url) as client,
    ):
        yield Live(api, database, owner, client, database.new_user())


def test_a_stream_shows_each_change_until_the_end(live: Live) -> None:
    worker = live.worker()
    with live.stream(worker.job.id) as events:
        assert short(next(events)) == ("queued", None, 0)
        worker.claim()
        assert short(next(events)) == ("processing", None, 0)
        worker.progress(45, "separate")
        assert short(next(events)) == ("processing", "separate", 45)
        worker.retry()
        again = next(events)
        assert short(again) == ("queued", None, 45)
        assert (again["error_code"], again["error_message"]) == ("fetch_failed", "no route to host")
        worker.claim()
        restarted = next(events)
        assert (short(restarted), restarted["attempt"]) == (("processing", None, 0), 2)
        worker.complete()
        assert short(next(events)) == ("completed", None, 100)
        assert list(events) == []
    with live.stream(worker.job.id) as events:
        assert [short(event) for event in events] == [("completed", None, 100)]


def test_a_stream_resumes_after_the_last_event(live: Live) -> None:
    worker = live.worker()
    worker.claim()
    worker.progress(20, "fetch")
    with live.stream(worker.job.id) as events:
        first = next(events)
    with live.stream(worker.job.id, first["id"]) as events:
        worker.progress(21, "separate")
        assert short(next(events)) == ("processing", "separate", 21)
    worker.progress(60, "separate")
    with live.stream(worker.job.id, first["id"]) as events:
        assert short(next(events)) == ("processing", "separate", 60)
    # Redis is ahead of the row, whose heartbeats are rarer: no step back.
    with live.stream(worker.job.id, "1-70-separate") as events:
        worker.progress(80, "encode")
        assert short(next(events)) == ("processing", "encode", 80)
    for damaged in ("", "x", "1-1-1-1", "9" * 20 + "-1"):
        with live.stream(worker.job.id, damaged) as events:
            assert short(next(events)) == ("processing", "encode", 80)
    worker.complete()
    with live.stream(worker.job.id, first["id"]) as events:
        (last,) = events
    with client_of(live.api, live.user) as client:
        answer = client.get(
            f"/api/jobs/{worker.job.id}/events", headers={"Last-Event-ID": last["id"]}
        )
    assert (answer.status_code, answer.content) == (204, b"")


def test_streams_of_other_users_are_not_there(live: Live) -> None:
    worker = live.worker()
    with client_of(live.api, live.database.new_user()) as other:
        theirs = other.get(f"/api/jobs/{worker.job.id}/events")
        missing = other.get(f"/api/jobs/{(unknown := uuid4())}/events")
    assert theirs.status_code == missing.status_code == 404
    assert theirs.text.replace(str(worker.job.id), "") == missing.text.replace(str(unknown), "")
    nobody = httpx2.get(f"{live.api.url}/api/jobs/{worker.job.id}/events")
    assert nobody.status_code == 401


def test_streams_go_on_without_redis_and_after_it(live: Live, stack: Stack) -> None:
    worker, lost = live.worker(), live.worker()
    with live.stream(worker.job.id) as events, live.stream(lost.job.id) as others:
        next(events)
        next(others)
        stack.servers["valkey"].kill()
        worker.publishes = False
        worker.claim()
        assert short(next(events)) == ("processing", None, 0)
        worker.progress(30, "separate")
        assert short(next(events)) == ("processing", "separate", 30)
        with live.stream(worker.job.id) as late:
            assert short(next(late)) == ("processing", "separate", 30)
        stack.servers["valkey"].start()
        until(lambda: subscriptions(live.redis) == 1)
        worker.publishes = True
        worker.progress(31, "separate")
        assert short(next(events)) == ("processing", "separate", 31)
        worker.complete()
        assert short(next(events)) == ("completed", None, 100)
        # Its message is never published, so a poll finds the change.
        lost.publishes = False
        lost.claim()
        assert short(next(others)) == ("processing", None, 0)


def subscriptions(client: redis.Redis) -> int:
    ((_, count),) = client.pubsub_numsub(CHANNEL)
    return int(count)


def test_all_streams_share_one_subscription_and_leave_nothing(live: Live) -> None:
    worker = live.worker()
    with ExitStack() as open_streams:
        streams = [open_streams.enter_context(live.stream(worker.job.id)) for _ in range(20)]
        for events in streams:
            assert short(next(events)) == ("queued", None, 0)
        assert subscriptions(live.redis) == 1
        worker.claim()
        for events in streams:
            assert short(next(events)) == ("processing", None, 0)
        assert clients(live.api) == 20
    until(lambda: clients(live.api) == 0)


def clients(api: ApiProcess) -> int:
    """Return the number of open connections of clients."""
    import psutil

    port = int(api.url.rpartition(":")[2])
    connections = psutil.Process(api.process.pid).net_connections("tcp")
    return sum(one.laddr.port == port and bool(one.raddr) for one in connections)


def test_a_removed_job_ends_its_streams(live: Live) -> None:
    worker = live.worker()
    with live.stream(worker.job.id) as events:
        next(events)
        live.owner.execute("DELETE FROM ai_jobs WHERE id = %s", [worker.job.id])
        assert list(events) == []


def test_a_stopping_server_ends_its_streams(live: Live, tmp_path: Path) -> None:
    worker = live.worker()
    with live.database.api(tmp_path) as api:
        other = replace(live, api=api)
        with other.stream(worker.job.id) as events:
            last = next(events)["id"]
            api.process.send_signal(signal.SIGTERM)
            assert list(events) == []
        assert api.process.wait(30) == 0
    worker.claim()
    with live.stream(worker.job.id, last) as events:
        assert short(next(events)) == ("processing", None, 0)


def test_events_end_at_any_moment_of_their_start(
    world: World,  # noqa: ARG001 - sets the environment
) -> None:
    async def run_briefly(database: Database, turns: int) -> None:
        events = JobEvents(Reads(database, size=1), load_service_settings())
        async with asyncio.timeout(20), events.running():
            for _ in range(turns):
                await asyncio.sleep(0)

    with Database("postgresql://127.0.0.1:1/none") as unused:
        for turns in range(30):
            asyncio.run(run_briefly(unused, turns))
