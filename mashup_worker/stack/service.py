"""Complete service on one machine: servers, schema, mirror, workers and API."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.stack.child import Child, Program
from mashup_worker.stack.files import keep_ports, keep_secrets
from mashup_worker.stack.info import StackInfo
from mashup_worker.stack.server import NotReady, Server
from mashup_worker.stack.stack import SERVERS, ServerName, Stack
from mashup_worker.system.restarter import Restarter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.db.database import Connection

_VARIABLES: dict[ServerName, tuple[str, ...]] = {
    "postgres": ("DATABASE_URL",),
    "valkey": ("REDIS_URL",),
    "s3": ("S3_ENDPOINT_URL", "S3_BUCKET", "STORAGE_URL"),
}
"""Variables that name an existing server."""

_METRICS_ADDRESS = "MASHUP_METRICS_ADDRESS"

_USER_ID = "00000000-0000-4000-8000-000000000001"
"""User of a local database, who is the same in all of them."""

_READY_TIMEOUT_S = 600.0
"""Longest start; the first start of a worker may fetch weights."""

_STOP_GRACE_S = 40.0
"""Longer than the time that a stopping worker continues its job."""


def missing_servers(environment: Mapping[str, str]) -> tuple[ServerName, ...]:
    """Return the servers that no variable names."""
    return tuple(
        server
        for server in SERVERS
        if not any(environment.get(name) for name in _VARIABLES[server])
    )


def existing_servers(environment: Mapping[str, str]) -> StackInfo:
    """Return the servers that variables name.

    Raises:
        InvalidInput: S3_ENDPOINT_URL is set without S3_BUCKET.
    """

    def get(name: str) -> str:
        return environment.get(name, "")

    bucket = get("S3_BUCKET")
    if get("S3_ENDPOINT_URL") and not bucket:
        raise InvalidInput("S3_BUCKET: not set, though S3_ENDPOINT_URL is; set both or none")
    return StackInfo(
        database_url=get("DATABASE_URL"),
        worker_database_url=get("DATABASE_URL"),
        api_database_url=get("DATABASE_URL"),
        redis_url=get("REDIS_URL"),
        s3_endpoint_url=get("S3_ENDPOINT_URL"),
        bucket=bucket,
        region=get("S3_REGION") if bucket else "",
        access_key=get("AWS_ACCESS_KEY_ID") if bucket else "",
        secret_key=get("AWS_SECRET_ACCESS_KEY") if bucket else "",
    )


class LocalService:
    """Context manager that runs the service, restarts processes that exit, and yields its info."""

    def __init__(
        self,
        folder: Path,
        workers: Mapping[str, tuple[str, ...]] | None,
        on_step: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Describe the service; entering the context starts it.

        Args:
            folder: folder of data, logs and secrets.
            workers: arguments of `mashup` for each worker by name, which run beside a mirror and
                the API; None for servers and schema only.
            on_step: receives short descriptions of steps.

        Raises:
            InvalidInput: environment variables contradict each other.
        """
        # Worker and mirror would both listen at this address.
        self._environment = {k: v for k, v in os.environ.items() if k != _METRICS_ADDRESS}
        self._stack = Stack(
            folder, missing_servers(self._environment), existing_servers(self._environment)
        )
        self._workers = workers
        self._on_step = on_step
        self._processes: dict[str, Server] = {}
        self._restarter: Restarter | None = None

    def __enter__(self) -> StackInfo:
        """Start everything.

        Raises:
            ServiceUnavailable: a server did not start, or a migration failed; everything is stopped
                again.
        """
        try:
            return self._start()
        except BaseException:
            self._stop()
            raise

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> StackInfo:
        from mashup_worker.db.migrate import migrate

        self._on_step("starting servers")
        info = self._stack.start(announce=False)
        for name in migrate(info.database_url):
            self._on_step(f"applied migration {name}")
        if self._workers is not None:
            self._on_step("starting mirror, worker and API")
            self._start_processes(self._with_api(info), self._workers)
        self._announce()
        watched = [*self._stack.servers.values(), *self._processes.values()]
        self._restarter = Restarter(watched, _READY_TIMEOUT_S, self._announce)
        return self._stack.info

    def _with_api(self, info: StackInfo) -> StackInfo:
        """Choose the address of the API, and store its token and the local user."""
        from mashup_worker.db.api_tokens import SCOPES, TOKEN_PREFIX, create_token
        from mashup_worker.db.database import Database

        folder = self._stack.folder
        port = keep_ports(folder / "ports.json", ["api"])["api"]
        secrets = keep_secrets(folder / "secrets.json", ["api_token", "api_secret"])
        token = TOKEN_PREFIX + secrets["api_token"]
        with Database(info.database_url, size=1) as database, database.transaction() as connection:
            create_token(connection, token, name="mashup up", scopes=SCOPES)
            is_own = "postgres" in self._stack.servers
            if is_own:
                _create_user(connection)
        return self._stack.describe(
            user_id=_USER_ID if is_own else "",
            api_url=self._environment.get("MASHUP_API_URL") or f"http://127.0.0.1:{port}",
            api_token=token,
            api_secret=self._environment.get("MASHUP_API_SECRET") or secrets["api_secret"],
            api_port=str(port),
        )

    def _start_processes(self, info: StackInfo, workers: Mapping[str, tuple[str, ...]]) -> None:
        secret = {"MASHUP_API_SECRET": info.api_secret}
        environment = {**self._environment, **info.environment(), **secret}
        as_worker = {**environment, "DATABASE_URL": info.worker_database_url}
        as_api = {**environment, "DATABASE_URL": info.api_database_url}
        arguments = {**workers, "mirror": ("mirror",), "api": ("api", "--port", info.api_port)}
        logs = self._stack.folder / "logs"
        self._processes = {
            name: _service_process(
                name, one, logs / f"{name}.log", as_api if name == "api" else as_worker
            )
            for name, one in arguments.items()
        }
        with ThreadPoolExecutor(len(self._processes)) as threads:
            starts = [
                threads.submit(process.start, _READY_TIMEOUT_S)
                for process in self._processes.values()
            ]
            for start in starts:
                try:
                    start.result()
                except BaseException:
                    self._stop_processes()  # otherwise the executor waits for the others
                    raise

    def _announce(self) -> None:
        pids = {name: process.pid for name, process in self._processes.items()}
        self._stack.announce({name: pid for name, pid in pids.items() if pid is not None})

    def _stop(self) -> None:
        if self._restarter is not None:
            self._restarter.stop()
        self._stop_processes()
        self._on_step("stopping servers")
        self._stack.stop()

    def _stop_processes(self) -> None:
        for name, process in self._processes.items():  # workers before the mirror, which shows them
            self._on_step(f"stopping {name}")
            process.stop()


def _create_user(connection: Connection) -> None:
    """Create the local user, with the tier without limits, unless the user exists."""
    created = connection.execute(
        "INSERT INTO profiles (id) VALUES (%s) ON CONFLICT DO NOTHING", [_USER_ID]
    )
    if created.rowcount:
        connection.execute(
            "INSERT INTO subscriptions (user_id, tier) VALUES (%s, 'studio')", [_USER_ID]
        )


def _service_process(
    name: str, arguments: tuple[str, ...], log: Path, environment: Mapping[str, str]
) -> Server:
    """Return a command of `mashup` that prints `ready` and runs until it is stopped."""
    program = Program(
        name=name,
        # -P: no file in the current folder may replace a module.
        arguments=(sys.executable, "-P", "-m", "mashup_worker", *arguments),
        folder=Path.cwd(),
        log=log,
        environment={**environment, "PYTHONUNBUFFERED": "1"},
        grace_s=_STOP_GRACE_S,
    )
    return Server(program, _check_printed_ready)


def _check_printed_ready(child: Child) -> None:
    if not any(line.startswith("ready") for line in child.log_lines()):
        raise NotReady(child.last_line())
