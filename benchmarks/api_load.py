"""The HTTP API under load, beside a worker that separates songs.

    python -m benchmarks.api_load [--seconds 20]

Starts `mashup up` with one worker process, and, on the same machine:

- 200 users follow a job each, while 100 changes of these jobs a second are published;
- 500 times a second one of them reads a job, one of ten with its result;
- 1,000 jobs are created in ten seconds, and the requests of 100 of them are repeated.

Requests are sent at their time even if earlier ones are not answered, and times count from then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import psutil
import psycopg
import redis
import soundfile
from psycopg.rows import dict_row

from benchmarks.http_load import Answer, Request, Server, Times
from benchmarks.results import publish, table
from mashup_worker.bench.music import song
from mashup_worker.db import jobs
from mashup_worker.queue.status import CHANNEL, StatusView
from mashup_worker.settings import StorageSettings
from mashup_worker.storage.objects import media_type
from mashup_worker.storage.s3 import S3Storage
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

STREAMS = 200
CHANGES_PER_S = 100
READS_PER_S = 500
RESULT_EVERY = 10
CREATES, CREATE_S, REPEATED = 1_000, 10.0, 100
AIM_MS = 100.0
SONG_S, KEY = 60, "public/song.flac"
BUSY_JOBS = 100
"""Jobs that keep the worker busy."""

_SECRET = "a secret of the benchmark, which signs the tokens"
_START_TIMEOUT_S = 300.0
_ATTEMPT = 1_000
"""Number of the attempt in published changes, which are newer than those of the worker."""


@dataclass(frozen=True)
class User:
    """User with a token, and the job that the user follows."""

    token: str
    user_id: UUID
    job: UUID


@dataclass(frozen=True)
class Place:
    """Running service with the users, and a completed job of the first user."""

    facts: dict[str, Any]
    users: list[User]
    completed: UUID


@contextmanager
def service(folder: Path) -> Iterator[dict[str, Any]]:
    """Start `mashup up` with the model lite on the CPU; yield its facts."""
    environment = {
        **os.environ,
        "HOME": str(folder),
        "MASHUP_MODEL": "lite",
        "MASHUP_OFFLINE": "1",
        "MASHUP_REUSE_RESULTS": "false",
        "SUPABASE_JWT_SECRET": _SECRET,
    }
    mashup = [sys.executable, "-P", "-m", "mashup_worker"]
    command = [*mashup, "up", "--data", str(folder / "data"), "--processes", "1", "--json"]
    with subprocess.Popen(
        [*command, "--device", "cpu"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)


def furnished(facts: dict[str, Any], folder: Path) -> Place:
    """Upload a song, insert users with a job each, and wait until the first job is done."""
    path = folder / "song.flac"
    music = song(SONG_S)
    soundfile.write(path, music.samples.T.numpy(), music.sample_rate)
    os.environ["AWS_ACCESS_KEY_ID"] = facts["s3_access_key_id"]
    os.environ["AWS_SECRET_ACCESS_KEY"] = facts["s3_secret_access_key"]
    store = S3Storage(
        StorageSettings(s3_endpoint_url=facts["s3_endpoint_url"], s3_bucket=facts["bucket"])
    )
    store.put(KEY, path, content_type=media_type(path), sha256=file_sha256(path))
    with psycopg.connect(facts["database_url"], autocommit=True, row_factory=dict_row) as owner:
        users = [_new_user(owner) for _ in range(STREAMS)]
        completed = jobs.insert(owner, "separate", {"audio": KEY}, user_id=users[0].user_id).id
        for _ in range(BUSY_JOBS):
            jobs.insert(owner, "separate", {"audio": KEY})
        end_s = time.monotonic() + _START_TIMEOUT_S
        while (job := jobs.find(owner, completed)) is None or job.status != "completed":
            if time.monotonic() > end_s:
                raise SystemExit(f"the first job did not complete: {job}")
            time.sleep(0.2)
    return Place(facts, users, completed)


def _new_user(owner: psycopg.Connection[dict[str, Any]]) -> User:
    row = owner.execute("INSERT INTO profiles DEFAULT VALUES RETURNING id").fetchone()
    assert row is not None
    user_id: UUID = row["id"]
    owner.execute("INSERT INTO subscriptions (user_id, tier) VALUES (%s, 'studio')", [user_id])
    claims = {
        "sub": str(user_id),
        "aud": "authenticated",
        "iss": "benchmark",
        "exp": int(time.time()) + 3_600,
    }
    job = jobs.insert(owner, "separate", {"audio": KEY}, user_id=user_id)
    # Does not run, since only the published changes are measured.
    owner.execute("UPDATE ai_jobs SET run_at = now() + '1 day' WHERE id = %s", [job.id])
    return User(jwt.encode(claims, _SECRET, algorithm="HS256"), user_id, job.id)


class Streams:
    """Streams of all users' jobs, and the changes that are published for them."""

    def __init__(self, place: Place, server: Server) -> None:
        self._place, self._server = place, server
        self._sent_s: dict[tuple[UUID, int], float] = {}
        self._opened = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.times = Times()

    async def open(self) -> None:
        """Open all streams, and return when each has its first event."""
        self._tasks = [asyncio.create_task(self._follow(user)) for user in self._place.users]
        while self._opened < len(self._tasks):
            await asyncio.sleep(0.05)

    async def publish(self, seconds: float) -> None:
        """Publish changes, in turn for each job, as a worker does."""
        client = redis.Redis.from_url(self._place.facts["redis_url"])
        start_s = time.perf_counter()
        for number in range(round(CHANGES_PER_S * seconds)):
            await asyncio.sleep(start_s + number / CHANGES_PER_S - time.perf_counter())
            turn, index = divmod(number, STREAMS)
            state = StatusView(
                id=self._place.users[index].job,
                attempt=_ATTEMPT,
                status="processing",
                progress=turn,
                stage="separate",
            )
            self._sent_s[state.id, turn] = time.perf_counter()
            client.publish(CHANNEL, state.published())
        client.close()

    async def close(self) -> None:
        """Close all streams; those that ended before, and lost changes, have failed."""
        self.times.refusals["stream ended"] = sum(task.done() for task in self._tasks)
        self.times.refusals["change lost"] = len(self._sent_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, user: User) -> None:
        path, is_open = f"/api/jobs/{user.job}/events", False
        async for event in self._server.events(Request(method="GET", path=path, token=user.token)):
            if not is_open:
                is_open = True
                self._opened += 1
            if event["attempt"] == _ATTEMPT:
                sent_s = self._sent_s.pop((user.job, event["progress"]))
                self.times.values_ms.append(1_000 * (time.perf_counter() - sent_s))


async def read_jobs(place: Place, server: Server, seconds: float) -> Times:
    """Read jobs of random users, and every tenth time one with its result."""
    chooser = random.Random(0)

    def request(number: int) -> Request:
        with_result = number % RESULT_EVERY == 0
        user = place.users[0] if with_result else chooser.choice(place.users)
        job = place.completed if with_result else user.job
        return Request(method="GET", path=f"/api/jobs/{job}", token=user.token)

    return await server.at_rate(
        READS_PER_S, seconds, request, lambda _, answer: answer.status == HTTPStatus.OK
    )


async def create_jobs(place: Place, server: Server) -> Times:
    """Create jobs, repeat some of the requests, and compare the rows with the answers."""
    made: dict[int, bytes] = {}

    def request(number: int) -> Request:
        return Request(
            method="POST",
            path="/api/audio/separate",
            token=place.users[number % STREAMS].token,
            headers={"Idempotency-Key": f"create {number}"},
            body=json.dumps({"audio": KEY, "analyze": False}).encode(),
        )

    def accept(number: int, answer: Answer) -> bool:
        first = made.setdefault(number, answer.body)
        return answer.status == HTTPStatus.ACCEPTED and answer.body == first

    times = await server.at_rate(CREATES / CREATE_S, CREATE_S, request, accept)
    again = await server.at_rate(CREATES / CREATE_S, REPEATED * CREATE_S / CREATES, request, accept)
    times.refusals.update(again.refusals)
    with psycopg.connect(place.facts["database_url"]) as owner:
        rows = owner.execute(
            "SELECT count(*) FROM ai_jobs WHERE idempotency_key LIKE 'create %'"
        ).fetchone()
    if rows != (CREATES,):
        raise SystemExit(f"{rows} jobs exist after {CREATES} creations: {times.refusals}")
    return times


class Usage:
    """Use of processor time, as shares of one core."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}

    def start(self) -> None:
        """Begin to count."""
        self._started_s, self._before = time.monotonic(), self._used()

    def shares(self) -> dict[str, float]:
        """Return the shares since the start."""
        seconds = time.monotonic() - self._started_s
        return {name: (used - self._before[name]) / seconds for name, used in self._used().items()}

    def _used(self) -> dict[str, float]:
        used = {
            name: sum(sum(one.cpu_times()[:2]) for one in [top, *top.children(recursive=True)])
            for name, top in self._processes.items()
        }
        return {**used, "this client": time.process_time()}


async def measure(place: Place, seconds: float) -> tuple[dict[str, Times], dict[str, float], float]:
    """Return times by kind of request, processor shares while jobs were read, and memory in MB."""
    server = Server(place.facts["api_url"])
    pids = place.facts["pids"]
    usage = Usage({name: pids[name] for name in ("api", "postgres", "worker")})
    streams = Streams(place, server)
    await streams.open()
    await read_jobs(place, server, 2.0)  # warm-up
    usage.start()
    publishing = asyncio.create_task(streams.publish(seconds))
    reads = await read_jobs(place, server, seconds)
    await publishing
    shares = usage.shares()
    creates = await create_jobs(place, server)
    memory_mb = psutil.Process(pids["api"]).memory_info().rss / 1e6
    await asyncio.sleep(1.0)  # for the last changes
    await streams.close()
    await server.close()
    return (
        {
            f"{STREAMS} streams, {CHANGES_PER_S} changes a second": streams.times,
            f"job read, {READS_PER_S} a second": reads,
            f"job created, {CREATES} in {CREATE_S:g} s": creates,
        },
        shares,
        memory_mb,
    )


def main() -> None:
    """Measure, and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="duration of the reads")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name, service(Path(name)) as facts:
        place = furnished(facts, Path(name))
        times, shares, memory_mb = asyncio.run(measure(place, seconds))
    rows = [
        (
            what,
            str(len(one.values_ms)),
            *(f"{one.percentile(percent):.1f}" for percent in (50, 95, 99)),
            f"{max(one.values_ms):.1f}",
            str(one.failed),
            "yes" if reached(one) else "no",
        )
        for what, one in times.items()
    ]
    used = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
    publish(
        "api_load",
        f"Milliseconds from the time at which a request was due, or a change was published, until "
        f"it was received. {STREAMS} users follow a job each, all the time; a worker separates "
        f"songs of {SONG_S} s on the same cores. {REPEATED} of the creations are repeated with "
        f"their key, and each has made one job. The goal is 99 % within {AIM_MS:g} ms without "
        "failures.",
        table(("what", "number", "median", "95 %", "99 %", "longest", "failed", "reached"), rows),
        f"Cores used while jobs were read: {used}. Memory of the API at the end: "
        f"{memory_mb:.0f} MB.",
    )
    for what, one in times.items():
        for text, number in (+one.refusals).items():
            print(f"{what}: {number}: {text}", file=sys.stderr)
    missed = [what for what, one in times.items() if not reached(one)]
    if missed:
        raise SystemExit(f"goal not reached: {'; '.join(missed)}")


def reached(times: Times) -> bool:
    """Return whether the goal is reached."""
    return not times.failed and times.percentile(99) < AIM_MS


if __name__ == "__main__":
    main()
