"""Files of a stack's folder: secrets, ports, and the lock of its owner."""

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
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PORTS = range(15_000, 32_000)
"""Ports below those that Linux gives to outgoing connections. One of those could occupy the port of
a stopped server, and a client that retries could even connect to itself."""

_TRIES = 1_000


class FolderLock:
    """Lock of a running stack, which the system releases when its process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Acquire the lock without waiting; return whether it succeeded."""
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

    def release(self) -> None:
        """Release the lock if this object holds it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @staticmethod
    def is_held(path: Path) -> bool:
        """Return whether a process holds the lock of a path."""
        lock = FolderLock(path)
        try:
            free = lock.acquire()
        except FileNotFoundError:  # the folder does not exist
            return False
        lock.release()
        return not free


def write_secret(path: Path, text: str) -> None:
    """Write a text file atomically, readable by its owner only."""
    write_atomically(path, text.encode(), private=True)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or an empty one if the file does not exist.

    Raises:
        ServiceUnavailable: the file contains anything else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ServiceUnavailable(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ServiceUnavailable(f"{path}: not a JSON object")
    return found


def keep_secrets(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Return a secret for each name, generated once; letters and digits only, for use in URLs."""
    known = read_object(path)
    missing = {name: secrets.token_hex(20) for name in names if name not in known}
    if missing:
        write_secret(path, json.dumps(known | missing, indent=2))
    return known | missing


def keep_ports(path: Path, names: Iterable[str]) -> dict[str, int]:
    """Return a free port of 127.0.0.1 for each name: the previous one if it is still free."""
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
        port = random.choice(_PORTS)  # noqa: S311 - not a secret
        if port not in taken and _is_free(port):
            return port
    raise ServiceUnavailable("127.0.0.1: no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
