"""Connections to checked addresses, with one deadline for all that happens on them."""

from __future__ import annotations

import http.client
import io
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import FetchFailed, FetchRefused
from mashup_worker.storage.addresses import is_public
from mashup_worker.system.deadline import call_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONNECT_S = 10.0
"""Longest wait for one of several addresses."""


@dataclass(frozen=True)
class Deadline:
    """When a host's time is over.

    Attributes:
        host: as the URL names it.
        until_s: on the clock of `time.monotonic`.
    """

    host: str
    until_s: float

    def left_s(self) -> float:
        """Seconds that are left.

        Raises:
            FetchFailed: none are.
        """
        left_s = self.until_s - time.monotonic()
        if left_s <= 0:
            raise self.missed()
        return left_s

    def missed(self) -> FetchFailed:
        """The error of a host that let the deadline pass."""
        return FetchFailed(f"{self.host} took too long")


@dataclass(frozen=True)
class Place:
    """An address to connect to, in the words of the `socket` module."""

    family: int
    address: tuple[Any, ...]


def look_up(port: int, deadline: Deadline, *, allow_private: bool) -> list[Place]:
    """All addresses of the deadline's host.

    Raises:
        FetchRefused: one of them is not public.
        FetchFailed: the name can't be looked up.
    """

    def look_up_name() -> list[Any]:
        return socket.getaddrinfo(deadline.host, port, type=socket.SOCK_STREAM)

    try:
        found = call_within(deadline.left_s(), look_up_name)
    except TimeoutError:
        raise deadline.missed() from None
    except (OSError, ValueError) as error:  # the latter for names that IDNA forbids
        reason = getattr(error, "strerror", None) or "not a name"
        raise FetchFailed(f"{deadline.host}: {reason}") from error
    places = [Place(entry[0], entry[4]) for entry in found]
    if not allow_private and not all(is_public(str(place.address[0])) for place in places):
        raise FetchRefused(f"{deadline.host}: its address is not public")
    return places


def connect(places: Sequence[Place], deadline: Deadline) -> socket.socket:
    """A connection to the first of the addresses that takes one.

    Raises:
        FetchFailed: none does.
    """
    failure: OSError | None = None
    for place in places:
        wait_s = min(deadline.left_s(), _CONNECT_S)
        try:
            return _connected(place, wait_s)
        except OSError as error:
            failure = error
    deadline.left_s()
    raise FetchFailed(f"{deadline.host}: {reason_of(failure)}") from failure


def _connected(place: Place, wait_s: float) -> socket.socket:
    connection = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(wait_s)
        connection.connect(place.address)
    except BaseException:
        connection.close()
        raise
    return connection


class Wire:
    """As much of a socket as `http.client` needs, every step of which knows the deadline.

    A socket's own timeout begins anew with each byte, so a host that sends one now and then would
    hold a reader for ever.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What the host sends."""
        return io.BufferedReader(_Incoming(self._connection, self._deadline))

    def sendall(self, content: bytes) -> None:
        """Send something."""
        self._connection.settimeout(self._deadline.left_s())
        self._connection.sendall(content)

    def close(self) -> None:
        """Nothing: `http.client` calls this before it has read the body."""


class _Incoming(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left_s())
        return self._connection.recv_into(buffer)


@contextmanager
def told(deadline: Deadline) -> Iterator[None]:
    """Errors of the network and of HTTP, as one line that names the host."""
    try:
        yield
    except TimeoutError as error:
        raise deadline.missed() from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed(f"{deadline.host}: {reason_of(error)}") from error


def reason_of(error: Exception | None) -> str:
    """What went wrong, in words that hold nothing of the URL and nothing that the host sent."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "no answer" if error is None else type(error).__name__
