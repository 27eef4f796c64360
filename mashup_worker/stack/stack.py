"""Postgres, Valkey and S3 in one folder, started and stopped together."""

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
from mashup_worker.stack.postgres import DATABASE, OWNER, postgres
from mashup_worker.stack.server import kill_stale_servers
from mashup_worker.stack.supabase import API, WORKER, create_database
from mashup_worker.stack.valkey import valkey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mashup_worker.stack.server import Server

ServerName = Literal["postgres", "valkey", "s3"]
SERVERS: tuple[ServerName, ...] = get_args(ServerName)

_PORTS: dict[ServerName, tuple[str, ...]] = {
    "postgres": ("postgres",),
    "valkey": ("valkey",),
    "s3": s3.PORTS,
}

_SECRETS = (
    *("postgres_password", "worker_password", "api_password", "valkey_password"),
    *("s3_access_key", "s3_secret_key", "s3_signing_key"),
)

_LOCK_TIMEOUT_S = 0.5
"""`is_locked` in another process holds the lock for a moment."""


class Stack:
    """Context manager that runs the servers of one folder and yields their info.

    Attributes:
        folder: folder of data, logs, secrets and ports, readable by its owner only.
        servers: started servers by name.
    """

    def __init__(
        self,
        folder: Path,
        servers: Sequence[ServerName] = SERVERS,
        existing: StackInfo | None = None,
    ) -> None:
        """Describe the stack of the servers to start and of existing ones; `start` runs it."""
        self.folder = folder.resolve()
        self._names = tuple(name for name in SERVERS if name in servers)
        self._existing = existing or StackInfo()
        self._lock = FolderLock(self.folder / "lock")
        self.servers: dict[ServerName, Server] = {}
        self._info: StackInfo | None = None
        self._other_pids: Mapping[str, int] = {}
        self._announcing = threading.Lock()

    @property
    def info(self) -> StackInfo:
        """Addresses, credentials and current process ids.

        Raises:
            ServiceUnavailable: the stack is not running.
        """
        if self._info is None:
            raise ServiceUnavailable(f"{self.folder}: the stack is not running")
        alive: dict[str, int] = {name: one.pid for name, one in self.servers.items() if one.pid}
        pids = {**self._existing.pids, **alive, **self._other_pids}
        return dataclasses.replace(self._info, pids=pids)

    def start(self, *, announce: bool = True) -> StackInfo:
        """Start all servers in parallel. Their data persists between starts.

        Args:
            announce: whether `Stack.running` finds the stack now, or only after `announce`.

        Raises:
            ServiceUnavailable: the folder is in use, or a server did not start; all are stopped
                again.
            PackagesMissing: the package of a server is not installed.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._acquire_lock():
            raise ServiceUnavailable(f"{self.folder}: in use by another process")
        try:
            (self.folder / "stack.json").unlink(missing_ok=True)
            self._info = self._start_servers()
            if announce:
                self.announce({})
        except BaseException:
            self.stop()
            raise
        return self.info

    def announce(self, other_pids: Mapping[str, int]) -> None:
        """Write the info, with further processes, to the folder, where `running` finds it."""
        with self._announcing:
            self._other_pids = dict(other_pids)
            write_secret(self.folder / "stack.json", json.dumps(self.info.as_dict(), indent=2))

    def describe(self, **facts: str) -> StackInfo:
        """Set fields of the info, such as the address of a program beside the servers."""
        self._info = dataclasses.replace(self.info, **facts)  # type: ignore[arg-type]
        return self.info

    def stop(self) -> None:
        """Stop all servers and release the folder."""
        with self._announcing:
            self._info = None
            (self.folder / "stack.json").unlink(missing_ok=True)
        if self.servers:
            with ThreadPoolExecutor(len(self.servers)) as threads:
                list(threads.map(lambda server: server.stop(), self.servers.values()))
        self._lock.release()

    @staticmethod
    def running(folder: Path) -> StackInfo | None:
        """Return the info of the running stack of a folder; None before it is announced."""
        folder = folder.resolve()
        if not FolderLock.is_held(folder / "lock"):
            return None
        found = read_object(folder / "stack.json")
        return StackInfo.from_dict(found) if found else None

    @staticmethod
    def is_locked(folder: Path) -> bool:
        """Return whether a process starts, runs or stops the stack of a folder."""
        return FolderLock.is_held(folder.resolve() / "lock")

    def __enter__(self) -> StackInfo:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _acquire_lock(self) -> bool:
        deadline_s = time.monotonic() + _LOCK_TIMEOUT_S
        while not self._lock.acquire():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.02)
        return True

    def _start_servers(self) -> StackInfo:
        secrets = keep_secrets(self.folder / "secrets.json", _SECRETS)
        if not self._names:
            return self._existing
        # Before the ports are checked, which stale servers occupy.
        for name in self._names:
            kill_stale_servers(self.folder / name)
        port_names = [port for name in self._names for port in _PORTS[name]]
        ports = keep_ports(self.folder / "ports.json", port_names)
        self.servers = {name: self._server(name, ports, secrets) for name in self._names}
        with ThreadPoolExecutor(len(self.servers)) as threads:
            starts = [threads.submit(server.start) for server in self.servers.values()]
        for start in starts:
            start.result()
        return self._started_info(ports, secrets)

    def _server(
        self, name: ServerName, ports: Mapping[str, int], secrets: Mapping[str, str]
    ) -> Server:
        folder, log = self.folder / name, self.folder / "logs" / f"{name}.log"
        if name == "postgres":
            return postgres(folder, log, port=ports[name], password=secrets["postgres_password"])
        if name == "valkey":
            return valkey(folder, log, port=ports[name], password=secrets["valkey_password"])
        keys = s3.S3Keys(
            secrets["s3_access_key"], secrets["s3_secret_key"], secrets["s3_signing_key"]
        )
        return s3.seaweed(folder, log, ports=ports, keys=keys)

    def _started_info(self, ports: Mapping[str, int], secrets: Mapping[str, str]) -> StackInfo:
        info = self._existing
        if "postgres" in self._names:
            address = f"127.0.0.1:{ports['postgres']}"
            server = f"postgresql://{OWNER}:{secrets['postgres_password']}@{address}/{OWNER}"
            passwords = {WORKER: secrets["worker_password"], API: secrets["api_password"]}
            url = create_database(server, DATABASE, passwords)
            worker, api = (
                f"postgresql://{role}:{password}@{address}/{DATABASE}"
                for role, password in passwords.items()
            )
            info = dataclasses.replace(
                info, database_url=url, worker_database_url=worker, api_database_url=api
            )
        if "valkey" in self._names:
            url = f"redis://:{secrets['valkey_password']}@127.0.0.1:{ports['valkey']}/0"
            info = dataclasses.replace(info, redis_url=url)
        if "s3" in self._names:
            info = dataclasses.replace(
                info,
                s3_endpoint_url=f"http://127.0.0.1:{ports['s3']}",
                bucket=s3.BUCKET,
                region=s3.REGION,
                access_key=secrets["s3_access_key"],
                secret_key=secrets["s3_secret_key"],
            )
        return info
