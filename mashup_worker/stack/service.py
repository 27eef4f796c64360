"""The whole service on one machine: servers, schema, mirror and worker."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.stack.info import StackInfo
from mashup_worker.stack.processes import READY_TIMEOUT_S, Process
from mashup_worker.stack.stack import PARTS, Part, Stack
from mashup_worker.system.restarter import Restarter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

_GIVEN_BY: dict[Part, tuple[str, ...]] = {
    "postgres": ("DATABASE_URL",),
    "valkey": ("REDIS_URL",),
    "s3": ("S3_ENDPOINT_URL", "S3_BUCKET", "STORAGE_URL"),
}
"""Variables that name a part that is there already."""

_METRICS_ADDRESS = "MASHUP_METRICS_ADDRESS"


def missing_parts(environment: Mapping[str, str]) -> tuple[Part, ...]:
    """The parts that no variable names."""
    return tuple(
        part for part in PARTS if not any(environment.get(name) for name in _GIVEN_BY[part])
    )


def given_parts(environment: Mapping[str, str]) -> StackInfo:
    """The parts that variables name.

    Raises:
        InvalidInput: a store without a bucket.
    """

    def get(name: str) -> str:
        return environment.get(name, "")

    if get("S3_ENDPOINT_URL") and not get("S3_BUCKET"):
        raise InvalidInput("S3_ENDPOINT_URL is set, but S3_BUCKET is not")
    bucket = get("S3_BUCKET")
    return StackInfo(
        database_url=get("DATABASE_URL"),
        worker_database_url=get("DATABASE_URL"),
        redis_url=get("REDIS_URL"),
        s3_endpoint_url=get("S3_ENDPOINT_URL"),
        bucket=bucket,
        region=get("S3_REGION") if bucket else "",
        access_key=get("AWS_ACCESS_KEY_ID") if bucket else "",
        secret_key=get("AWS_SECRET_ACCESS_KEY") if bucket else "",
    )


class LocalService:
    """`with LocalService(folder) as info:` has everything up and kept up inside the block."""

    def __init__(
        self,
        folder: Path,
        workers: Mapping[str, tuple[str, ...]] | None,
        on_step: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Describe it; nothing is started or written.

        Args:
            folder: data, logs and secrets of all of it.
            workers: arguments of `mashup` for each worker, by its name, which run beside a mirror;
                None for servers and schema alone.
            on_step: told what happens, in a few words.

        Raises:
            InvalidInput: variables of this process contradict each other.
        """
        # Worker and mirror would both listen there.
        self._environment = {k: v for k, v in os.environ.items() if k != _METRICS_ADDRESS}
        self._stack = Stack(
            folder, missing_parts(self._environment), given_parts(self._environment)
        )
        self._workers = workers
        self._on_step = on_step
        self._processes: dict[str, Process] = {}
        self._restarters: list[Restarter] = []

    def __enter__(self) -> StackInfo:
        """Start everything.

        Raises:
            ServiceUnavailable: a part did not start, or the schema could not be made; then nothing
                is left running.
        """
        try:
            return self._start()
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> StackInfo:
        from mashup_worker.db.migrate import migrate

        self._on_step("starting servers")
        info = self._stack.start(announce=False)
        for name in migrate(info.database_url):
            self._on_step(f"migrated to {name}")
        if self._workers is not None:
            self._on_step("starting mirror and worker")
            self._start_processes(info, self._workers)
        self._announce()
        servers = self._stack.servers.values()
        self._restarters = [
            Restarter([*servers, *self._processes.values()], READY_TIMEOUT_S, self._announce)
        ]
        return self._stack.info

    def _start_processes(self, info: StackInfo, workers: Mapping[str, tuple[str, ...]]) -> None:
        environment = {
            **self._environment,
            **info.environment(),
            "DATABASE_URL": info.worker_database_url,
        }
        logs = self._stack.folder / "logs"
        self._processes = {
            name: Process(name, arguments, logs, environment)
            for name, arguments in {**workers, "mirror": ("mirror",)}.items()
        }
        with ThreadPoolExecutor(len(self._processes)) as threads:
            starts = [
                threads.submit(process.start, READY_TIMEOUT_S)
                for process in self._processes.values()
            ]
            for start in starts:
                try:
                    start.result()
                except BaseException:
                    self._stop_processes()  # the other would be waited for
                    raise

    def _announce(self) -> None:
        pids = {name: process.pid for name, process in self._processes.items()}
        self._stack.announce({name: pid for name, pid in pids.items() if pid is not None})

    def _stop(self) -> None:
        for restarter in self._restarters:
            restarter.stop()
        self._stop_processes()
        self._on_step("stopping servers")
        self._stack.stop()

    def _stop_processes(self) -> None:
        for name, process in self._processes.items():  # workers first: the mirror reports on them
            self._on_step(f"stopping {name}")
            process.stop()
