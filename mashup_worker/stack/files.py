"""What a stack keeps in its folder: secrets, ports, and who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import secrets
import socket
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.system.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PORTS = range(15_000, 32_000)
"""Below what Linux gives to outgoing connections: one of these could hold a stopped server's port,
and a client that tries again and again could end up connected to itself."""

_TRIES = 1_000


class FolderLock:
    """Says that a stack is up; the system takes it back when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether it is ours now."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        self._handle = handle
        return True

    def give_back(self) -> None:
        """Let others have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @staticmethod
    def is_taken(path: Path) -> bool:
        """Whether somebody holds the lock of this path."""
        lock = FolderLock(path)
        try:
            free = lock.take()
        except FileNotFoundError:  # not even its folder is there
            return False
        lock.give_back()
        return not free


def write_secret(path: Path, text: str) -> None:
    """Write a text file atomically, readable by its owner only."""
    write_whole(path, text.encode(), private=True)


def read_object(path: Path) -> dict[str, Any]:
    """A file's JSON object; empty when there is no such file.

    Raises:
        ServiceUnavailable: the file holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ServiceUnavailable(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ServiceUnavailable(f"{path} holds no JSON object")
    return found


def keep_secrets(path: Path, names: Iterable[str]) -> dict[str, str]:
    """A secret for each name, made up once; letters and digits only, so that URLs can hold it."""
    known = read_object(path)
    missing = {name: secrets.token_hex(20) for name in names if name not in known}
    if missing:
        write_secret(path, json.dumps(known | missing, indent=2))
    return known | missing


def keep_ports(path: Path, names: Iterable[str]) -> dict[str, int]:
    """A free port of 127.0.0.1 for each name, the one it had before where that is free."""
    known: dict[str, int] = read_object(path)
    chosen = dict(known)
    for name in names:
        others = {port for other, port in chosen.items() if other != name}
        if name not in known or known[name] in others or not _is_free(known[name]):
            chosen[name] = _free_port(others)
    if chosen != known:
        write_secret(path, json.dumps(chosen, indent=2))
    return chosen


def _free_port(taken: set[int]) -> int:
    for _ in range(_TRIES):
        port = random.choice(_PORTS)  # noqa: S311 - any will do
        if port not in taken and _is_free(port):
            return port
    raise ServiceUnavailable("no free port on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
