"""Everything that a queue needs, as real processes that can be hurt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from mashup_worker.db.migrate import migrate
from mashup_worker.settings import StorageSettings
from mashup_worker.stack.stack import Stack
from mashup_worker.storage.s3 import S3Storage
from tests.chaos.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from mashup_worker.stack.stack import StackInfo

ROOT = Path(__file__).parents[2]


@dataclass
class Actor:
    """A process of ours, which is started again where it died."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, if it does not run."""
        if self.process is not None and self.process.poll() is None:
            return
        self._close()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def send(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, timeout_s: float = 20.0) -> int:
        """Stop it well; its exit code."""
        assert self.process is not None
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._close()
        return code

    def _close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def is_ready(self, times: int = 1) -> bool:
        """Whether its log has so many lines that begin with `ready`."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return sum(line.startswith("ready") for line in lines) >= times


@dataclass
class Arena:
    """Servers, mirrors and lanes.

    Attributes:
        folder: for data, logs and faults.
        stack: the servers.
        info: where they are.
        postgres_proxy, s3_proxy: what lanes see of Postgres and S3.
        environment: of our processes.
    """

    folder: Path
    stack: Stack
    info: StackInfo
    postgres_proxy: Proxy
    s3_proxy: Proxy
    environment: dict[str, str]
    actors: list[Actor] = field(default_factory=list)
    made: int = 0

    @property
    def faults(self) -> Path:
        """The folder of faults to come."""
        return self.folder / "faults"

    def lay(self, fault: str) -> None:
        """Have the next attempt that comes to a point suffer there."""
        (self.faults / fault).touch()

    def lane(self, duration_s: float = 0.1, **more: str) -> Actor:
        """A quick lane; `more` are settings of its own."""
        command = [sys.executable, "-m", "tests.chaos.quick_worker", str(self.faults)]
        return self._actor("lane", [*command, str(duration_s)], {**self.beyond_proxies, **more})

    def worker(self, lanes: int, **more: str) -> Actor:
        """Quick lanes under a supervisor; `more` are settings of its own."""
        command = [sys.executable, "-m", "tests.chaos.quick_supervisor", str(self.faults)]
        arguments = [*command, "0.1", str(lanes)]
        return self._actor("worker", arguments, {**self.beyond_proxies, **more})

    def command(self, *arguments: str, **more: str) -> Actor:
        """A command of `mashup`; `more` are settings of its own."""
        command = [sys.executable, "-m", "mashup_worker", *arguments]
        return self._actor(arguments[0], command, {**self.environment, **more})

    @property
    def beyond_proxies(self) -> dict[str, str]:
        """The environment of whoever sees Postgres and S3 through the proxies."""
        return {
            **self.environment,
            "DATABASE_URL": with_port(self.info.worker_database_url, self.postgres_proxy.port),
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{self.s3_proxy.port}",
        }

    def mirror(self, **more: str) -> Actor:
        """A mirror; `more` are settings of its own."""
        return self.command("mirror", "--stop-with-parent", **more)

    def _actor(self, name: str, command: list[str], environment: dict[str, str]) -> Actor:
        self.made += 1
        number = self.made
        log = self.folder / f"{number}-{name}.log"
        actor = Actor(f"{name} {number}", command, environment, log)
        self.actors.append(actor)
        actor.start()
        return actor

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """The owner's connection."""
        with psycopg.connect(
            self.info.database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            yield connection

    def insert(self, audio: str = "inputs/good", **columns: Any) -> UUID:
        """A waiting job."""
        values = {"job_type": "separate", "input_data": Jsonb({"audio": audio}), **columns}
        names, holes = ", ".join(values), ", ".join(["%s"] * len(values))
        with self.sql() as connection:
            row = connection.execute(
                f"INSERT INTO public.ai_jobs ({names}) VALUES ({holes}) RETURNING id",
                list(values.values()),
            ).fetchone()
        assert row is not None
        job_id: UUID = row["id"]
        return job_id

    def job(self, job_id: UUID) -> dict[str, Any]:
        """The row of a job."""
        with self.sql() as connection:
            row = connection.execute(
                "SELECT * FROM public.ai_jobs WHERE id = %s", [job_id]
            ).fetchone()
        assert row is not None
        return row

    def ended(self, job_id: UUID, timeout_s: float = 30.0) -> dict[str, Any]:
        """The row of a job, once it has ended."""
        ended = ("completed", "failed", "canceled")
        until(lambda: self.job(job_id)["status"] in ended, timeout_s, f"job {job_id} to end")
        return self.job(job_id)

    @cached_property
    def redis(self) -> redis.Redis:
        """A client of the queue's Redis."""
        client: redis.Redis = redis.Redis.from_url(self.info.redis_url, decode_responses=True)
        return client

    def storage(self) -> S3Storage:
        """The store, not through the proxy."""
        settings = StorageSettings(
            s3_endpoint_url=self.info.s3_endpoint_url, s3_bucket=self.info.bucket
        )
        return S3Storage(settings)


@contextmanager
def arena(folder: Path, **settings: str) -> Iterator[Arena]:
    """Servers with the schema in place; no mirror and no lane yet.

    Args:
        folder: an empty one.
        settings: in place of the short times that tests use.
    """
    with ExitStack() as things:
        stack = Stack(folder / "stack")
        info = stack.start()
        things.callback(stack.stop)
        migrate(info.database_url)
        (folder / "faults").mkdir()
        postgres = Proxy(port_of(info.database_url), folder / "faults" / "cutting")
        s3 = Proxy(port_of(info.s3_endpoint_url))
        things.callback(postgres.close)
        things.callback(s3.close)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            "MASHUP_LEASE_S": "2",
            "MASHUP_POLL_S": "0.5",
            "MASHUP_RETRY_BASE_S": "0.1",
            "MASHUP_STOP_GRACE_S": "5",
            "MASHUP_REUSE_RESULTS": "false",
            **info.environment(),
            "DATABASE_URL": info.worker_database_url,
            **settings,
        }
        os.environ.update({k: v for k, v in environment.items() if k.startswith("AWS_")})
        made = Arena(folder, stack, info, postgres, s3, environment)
        things.callback(lambda: made.redis.close())
        things.callback(lambda: [actor.end() for actor in made.actors])
        yield made


def started(place: Arena, lanes: int = 1, duration_s: float = 0.1, **settings: str) -> None:
    """A mirror and lanes, ready."""
    place.mirror(**settings)
    for _ in range(lanes):
        place.lane(duration_s, **settings)
    until(lambda: all(actor.is_ready() for actor in place.actors), 30, "everybody to be ready")


def until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it does not come.
    """
    end_s = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except (psycopg.OperationalError, redis.ConnectionError):
            pass
        assert time.monotonic() < end_s, f"waited {timeout_s} s for {what}"
        time.sleep(0.05)


def port_of(url: str) -> int:
    """The port of a URL."""
    port = urlsplit(url).port
    assert port is not None
    return port


def with_port(url: str, port: int) -> str:
    """A URL with another port."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")).geturl()
