"""Servers, mirrors and workers as real processes, with injected faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import psycopg
import redis
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from mashup_worker.db.migrate import migrate
from mashup_worker.settings import StorageSettings
from mashup_worker.stack.supabase import create_database
from mashup_worker.storage.s3 import S3Storage
from tests.chaos.proxy import Proxy
from tests.processes import stop_with_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.stack.info import StackInfo
    from mashup_worker.stack.stack import Stack

ROOT = Path(__file__).parents[2]
DEADLINE_S = 180.0
"""Longest wait for what must happen; the machine may be loaded."""


@dataclass
class Managed:
    """Process that can be restarted after it died."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process unless it runs."""
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
                preexec_fn=stop_with_tests,
            )

    def send(self, number: int) -> None:
        """Send a signal if the process runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, timeout_s: float = DEADLINE_S) -> int:
        """Stop the process with SIGTERM; return its exit code."""
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
        """Return whether the log has at least `times` lines that start with `ready`."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return sum(line.startswith("ready") for line in lines) >= times


@dataclass
class Arena:
    """Servers, mirrors and worker processes.

    Attributes:
        folder: folder of data, logs and faults.
        stack: the servers.
        info: their addresses.
        postgres_proxy, s3_proxy: proxies between workers and Postgres or S3.
        environment: environment of all processes.
    """

    folder: Path
    stack: Stack
    info: StackInfo
    postgres_proxy: Proxy
    s3_proxy: Proxy
    environment: dict[str, str]
    processes: list[Managed] = field(default_factory=list)
    made: int = 0

    @property
    def faults(self) -> Path:
        """Folder of injected faults."""
        return self.folder / "faults"

    def inject(self, fault: str) -> None:
        """Inject a fault into the next attempt that reaches its step."""
        (self.faults / fault).touch()

    def worker_process(self, duration_s: float = 0.1, **more: str) -> Managed:
        """Start a fast worker process with additional settings."""
        command = [sys.executable, "-m", "tests.chaos.fast_worker", str(self.faults)]
        return self._start(
            "worker-process", [*command, str(duration_s)], {**self.proxied_environment, **more}
        )

    def worker(self, processes: int, **more: str) -> Managed:
        """Start fast worker processes under a supervisor, with additional settings."""
        command = [sys.executable, "-m", "tests.chaos.fast_supervisor", str(self.faults)]
        arguments = [*command, "0.1", str(processes)]
        return self._start("worker", arguments, {**self.proxied_environment, **more})

    def command(self, *arguments: str, **more: str) -> Managed:
        """Start a command of `mashup` with additional settings."""
        command = [sys.executable, "-m", "mashup_worker", *arguments]
        return self._start(arguments[0], command, {**self.environment, **more})

    @property
    def proxied_environment(self) -> dict[str, str]:
        """Environment of processes that reach Postgres and S3 through the proxies."""
        return {
            **self.environment,
            "DATABASE_URL": with_port(self.info.worker_database_url, self.postgres_proxy.port),
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{self.s3_proxy.port}",
        }

    def mirror(self, **more: str) -> Managed:
        """Start a mirror with additional settings."""
        return self.command("mirror", "--stop-with-parent", **more)

    def api(self, **more: str) -> Managed:
        """Start an API at a free port with additional settings."""
        settings = {
            "DATABASE_URL": self.info.api_database_url,
            "MASHUP_API_URL": "http://127.0.0.1",
            "MASHUP_API_SECRET": "a secret of the tests, long enough",
        }
        return self.command("api", "--port", "0", "--stop-with-parent", **{**settings, **more})

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> Managed:
        self.made += 1
        number = self.made
        log = self.folder / f"{number}-{name}.log"
        managed = Managed(f"{name} {number}", command, environment, log)
        self.processes.append(managed)
        managed.start()
        return managed

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """Yield a connection of the owner."""
        with psycopg.connect(
            self.info.database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            yield connection

    def insert(self, audio: str = "inputs/good", **columns: Any) -> UUID:
        """Insert a queued job."""
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
        """Return the row of a job."""
        with self.sql() as connection:
            row = connection.execute(
                "SELECT * FROM public.ai_jobs WHERE id = %s", [job_id]
            ).fetchone()
        assert row is not None
        return row

    def ended(self, job_id: UUID) -> dict[str, Any]:
        """Wait for the end of a job and return its row."""
        ended = ("completed", "failed", "canceled")
        until(lambda: self.job(job_id)["status"] in ended, f"job {job_id} to end")
        return self.job(job_id)

    def now(self) -> datetime:
        """Return the time on the clock of Postgres."""
        with self.sql() as connection:
            row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
        assert row is not None
        now: datetime = row["now"]
        return now

    @cached_property
    def redis(self) -> redis.Redis:
        """Client of Redis."""
        client: redis.Redis = redis.Redis.from_url(self.info.redis_url, decode_responses=True)
        return client

    def storage(self) -> S3Storage:
        """Return the store, without the proxy."""
        settings = StorageSettings(
            s3_endpoint_url=self.info.s3_endpoint_url, s3_bucket=self.info.bucket
        )
        return S3Storage(settings)


@contextmanager
def arena(folder: Path, stack: Stack) -> Iterator[Arena]:
    """Make a database with the schema, without mirrors and workers.

    Args:
        folder: an empty folder.
        stack: running servers, which faults may restart.
    """
    with ExitStack() as cleanup:
        info = with_new_database(stack.info)
        migrate(info.database_url)
        (folder / "faults").mkdir()
        postgres = Proxy(port_of(info.database_url), folder / "faults" / "cutting")
        s3 = Proxy(port_of(info.s3_endpoint_url))
        cleanup.callback(postgres.close)
        cleanup.callback(s3.close)
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
        }
        os.environ.update({k: v for k, v in environment.items() if k.startswith("AWS_")})
        made = Arena(folder, stack, info, postgres, s3, environment)
        cleanup.callback(lambda: made.redis.close())
        cleanup.callback(lambda: [one.end() for one in made.processes])
        yield made


def with_new_database(info: StackInfo) -> StackInfo:
    """Create a database without tables; return the addresses with it."""
    name = f"arena_{uuid4().hex}"
    url = create_database(info.database_url, name, role_passwords(info))
    path = urlsplit(url).path
    worker, api = (
        urlsplit(one)._replace(path=path).geturl()
        for one in (info.worker_database_url, info.api_database_url)
    )
    return replace(info, database_url=url, worker_database_url=worker, api_database_url=api)


def role_passwords(info: StackInfo) -> dict[str, str]:
    """Return the passwords of the roles that log in, to create further databases."""
    parts = (urlsplit(url) for url in (info.worker_database_url, info.api_database_url))
    return {unquote(one.username or ""): unquote(one.password or "") for one in parts}


def started(place: Arena, processes: int = 1, duration_s: float = 0.1, **settings: str) -> None:
    """Start a mirror and worker processes, and wait until they are ready."""
    place.mirror(**settings)
    for _ in range(processes):
        place.worker_process(duration_s, **settings)
    until(lambda: all(one.is_ready() for one in place.processes), "all processes to be ready")


def until(condition: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: the condition is not met in time.
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
    """Return the port of a URL."""
    port = urlsplit(url).port
    assert port is not None
    return port


def with_port(url: str, port: int) -> str:
    """Return a URL with another port."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")).geturl()
