"""Postgres, Valkey and S3 in one folder, up and down together."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, get_args

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.stack import seaweed as s3
from mashup_worker.stack.files import (
    FolderLock,
    keep_ports,
    keep_secrets,
    read_object,
    write_secret,
)
from mashup_worker.stack.info import StackInfo
from mashup_worker.stack.leftovers import end_leftovers
from mashup_worker.stack.postgres import DATABASE, OWNER, postgres
from mashup_worker.stack.roles import WORKER, make_database
from mashup_worker.stack.valkey import valkey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from mashup_worker.stack.server import Server

__all__ = ["PARTS", "Part", "Stack", "StackInfo"]

Part = Literal["postgres", "valkey", "s3"]
PARTS: tuple[Part, ...] = get_args(Part)

_PORTS: dict[Part, tuple[str, ...]] = {"postgres": ("postgres",), "valkey": ("valkey",)}
_PORTS["s3"] = s3.PORTS

_SECRETS = (
    "postgres_password",
    "worker_password",
    "valkey_password",
    "s3_access_key",
    "s3_secret_key",
    "s3_signing_key",
)

_LOCK_PATIENCE_S = 0.5
"""Somebody who only looks holds the lock for a moment."""


class Stack:
    """The servers of one folder; `with Stack(folder) as info:` has them up inside the block.

    Attributes:
        folder: holds data, logs, secrets and ports; only its owner can look into it.
    """

    def __init__(
        self, folder: Path, parts: Sequence[Part] = PARTS, given: StackInfo | None = None
    ) -> None:
        """Describe it; nothing is started or written.

        Args:
            folder: made where it is missing.
            parts: what to start.
            given: where the other parts are.
        """
        self.folder = folder.resolve()
        self._parts = tuple(part for part in PARTS if part in parts)
        self._given = given or StackInfo()
        self._lock = FolderLock(self.folder / "lock")
        self._servers: dict[Part, Server] = {}
        self._info: StackInfo | None = None
        self._also: Mapping[str, int] = {}
        self._announcing = threading.Lock()

    @property
    def servers(self) -> Mapping[Part, Server]:
        """All that were started."""
        return self._servers

    @property
    def postgres(self) -> Server:
        """Its Postgres."""
        return self._servers["postgres"]

    @property
    def valkey(self) -> Server:
        """Its Valkey."""
        return self._servers["valkey"]

    @property
    def s3(self) -> Server:
        """Its object store."""
        return self._servers["s3"]

    @property
    def info(self) -> StackInfo:
        """Where everything is, with the process numbers of now.

        Raises:
            ServiceUnavailable: it is not up.
        """
        if self._info is None:
            raise ServiceUnavailable(f"nothing is up in {self.folder}")
        pids: dict[str, int | None] = {name: server.pid for name, server in self._servers.items()}
        alive = {name: pid for name, pid in pids.items() if pid is not None}
        return dataclasses.replace(self._info, pids={**self._given.pids, **alive, **self._also})

    def start(self, *, announce: bool = True) -> StackInfo:
        """Start all servers side by side; their data stays from one start to the next.

        Args:
            announce: whether `Stack.running` finds it at once; else `announce` must be called.

        Raises:
            ServiceUnavailable: the folder's stack is up already, or a server did not start; then
                none is left running.
            PackagesMissing: a server's package is not installed.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._take_lock():
            raise ServiceUnavailable(f"{self.folder} is in use by another process")
        try:
            (self.folder / "stack.json").unlink(missing_ok=True)
            self._info = self._start_servers()
            if announce:
                self.announce({})
        except BaseException:
            self.stop()
            raise
        return self.info

    def announce(self, also: Mapping[str, int]) -> None:
        """Let `Stack.running` find it, with the process numbers of now.

        Args:
            also: numbers of processes that belong to it besides its servers.

        Raises:
            ServiceUnavailable: it is not up.
        """
        with self._announcing:
            self._also = dict(also)
            write_secret(self.folder / "stack.json", json.dumps(self.info.as_dict(), indent=2))

    def stop(self) -> None:
        """Stop all servers, and let others start them."""
        with self._announcing:
            self._info = None
            (self.folder / "stack.json").unlink(missing_ok=True)
        if self._servers:
            with ThreadPoolExecutor(len(self._servers)) as threads:
                list(threads.map(lambda server: server.stop(), self._servers.values()))
        self._lock.give_back()

    @staticmethod
    def running(folder: Path) -> StackInfo | None:
        """What a live stack of this folder announced; None when there is none, or not yet."""
        folder = folder.resolve()
        if not FolderLock.is_taken(folder / "lock"):
            return None
        found = read_object(folder / "stack.json")
        return StackInfo.from_dict(found) if found else None

    @staticmethod
    def is_taken(folder: Path) -> bool:
        """Whether some process starts, holds or stops the stack of this folder."""
        return FolderLock.is_taken(folder.resolve() / "lock")

    def __enter__(self) -> StackInfo:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_lock(self) -> bool:
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while not self._lock.take():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _start_servers(self) -> StackInfo:
        secrets = keep_secrets(self.folder / "secrets.json", _SECRETS)
        if not self._parts:
            return self._given
        # Before the ports are looked at, for leftovers hold them.
        for part in self._parts:
            end_leftovers(self.folder / part)
        names = [name for part in self._parts for name in _PORTS[part]]
        ports = keep_ports(self.folder / "ports.json", names)
        self._servers = self._describe(ports, secrets)
        with ThreadPoolExecutor(len(self._servers)) as threads:
            starts = [threads.submit(server.start) for server in self._servers.values()]
        for start in starts:
            start.result()
        return self._where(ports, secrets)

    def _describe(self, ports: Mapping[str, int], secrets: Mapping[str, str]) -> dict[Part, Server]:
        def server(part: Part) -> Server:
            folder, log = self.folder / part, self.folder / "logs" / f"{part}.log"
            if part == "postgres":
                return postgres(folder, log, ports[part], secrets["postgres_password"])
            if part == "valkey":
                return valkey(folder, log, ports[part], secrets["valkey_password"])
            return s3.seaweed(folder, log, ports, _keys(secrets))

        return {part: server(part) for part in self._parts}

    def _where(self, ports: Mapping[str, int], secrets: Mapping[str, str]) -> StackInfo:
        info = self._given
        if "postgres" in self._parts:
            at = f"127.0.0.1:{ports['postgres']}"
            server = f"postgresql://{OWNER}:{secrets['postgres_password']}@{at}/{OWNER}"
            worker = f"postgresql://{WORKER}:{secrets['worker_password']}@{at}/{DATABASE}"
            url = make_database(server, DATABASE, secrets["worker_password"])
            info = dataclasses.replace(info, database_url=url, worker_database_url=worker)
        if "valkey" in self._parts:
            at = f"127.0.0.1:{ports['valkey']}"
            url = f"redis://:{secrets['valkey_password']}@{at}/0"
            info = dataclasses.replace(info, redis_url=url)
        if "s3" in self._parts:
            info = dataclasses.replace(
                info,
                s3_endpoint_url=f"http://127.0.0.1:{ports['s3']}",
                bucket=s3.BUCKET,
                region=s3.REGION,
                access_key=secrets["s3_access_key"],
                secret_key=secrets["s3_secret_key"],
            )
        return info


def _keys(secrets: Mapping[str, str]) -> s3.S3Keys:
    return s3.S3Keys(secrets["s3_access_key"], secrets["s3_secret_key"], secrets["s3_signing_key"])
