"""Connections to checked addresses, with one deadline for everything that happens on them."""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import FetchFailed, FetchRefused
from mashup_worker.system.deadline import call_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAX_CONNECT_S = 10.0
"""Longest connection attempt to one of several addresses."""

_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # a cloud provider's internal services
        "192.0.0.0/24",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # IPv4 in IPv6, like 2002::
        "2002::/16",
        "3fff::/20",
    )
)
"""Networks that `is_global` accepts in some version of Python."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses ever assigned to the public.

Addresses outside lead to neighbors, to IPv4 (`::ffff:0:0`, `64:ff9b::`), or into networks that
chose their own addresses.
"""


@dataclass(frozen=True)
class Deadline:
    """Deadline for a host, on the clock of `time.monotonic`."""

    host: str
    until_s: float

    def left_s(self) -> float:
        """Return the remaining seconds.

        Raises:
            FetchFailed: the deadline has passed.
        """
        left_s = self.until_s - time.monotonic()
        if left_s <= 0:
            raise self.missed()
        return left_s

    def missed(self) -> FetchFailed:
        """Return the error for a missed deadline."""
        return FetchFailed(f"{self.host}: took too long; try again later")


@dataclass(frozen=True)
class Endpoint:
    """Address family and socket address to connect to."""

    family: int
    address: tuple[Any, ...]


def look_up(port: int, deadline: Deadline, *, allow_private: bool) -> list[Endpoint]:
    """Return all addresses of the deadline's host.

    Raises:
        FetchRefused: an address is not public.
        FetchFailed: the name cannot be resolved.
    """

    def resolve() -> list[Any]:
        return socket.getaddrinfo(deadline.host, port, type=socket.SOCK_STREAM)

    try:
        found = call_within(deadline.left_s(), resolve)
    except TimeoutError:
        raise deadline.missed() from None
    except (OSError, ValueError) as error:  # the latter for names that IDNA forbids
        reason = getattr(error, "strerror", None) or "not a valid name"
        raise FetchFailed(f"{deadline.host}: {reason}") from error
    endpoints = [Endpoint(entry[0], entry[4]) for entry in found]
    if not allow_private and not all(is_public(str(one.address[0])) for one in endpoints):
        raise FetchRefused(f"{deadline.host}: its address is not public")
    return endpoints


def connect(endpoints: Sequence[Endpoint], deadline: Deadline) -> socket.socket:
    """Connect to the first address that accepts.

    Raises:
        FetchFailed: none accepts.
    """
    failure: OSError | None = None
    for endpoint in endpoints:
        timeout_s = min(deadline.left_s(), _MAX_CONNECT_S)
        try:
            return _connected(endpoint, timeout_s)
        except OSError as error:
            failure = error
    deadline.left_s()
    raise FetchFailed(f"{deadline.host}: {reason_of(failure)}") from failure


def _connected(endpoint: Endpoint, timeout_s: float) -> socket.socket:
    connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(endpoint.address)
    except BaseException:
        connection.close()
        raise
    return connection


class DeadlineSocket:
    """Subset of a socket for `http.client`, in which every operation obeys the deadline.

    The timeout of a plain socket restarts with each byte, so a host that sends single bytes slowly
    would block a reader forever.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader of the host's answer."""
        return io.BufferedReader(_Incoming(self._connection, self._deadline))

    def sendall(self, content: bytes) -> None:
        """Send all bytes."""
        left = memoryview(content)
        # `sendall` of a TLS socket restarts the timeout with each part.
        while left:
            self._connection.settimeout(self._deadline.left_s())
            left = left[self._connection.send(left) :]

    def close(self) -> None:
        """Do nothing, since `http.client` calls this before it reads the body."""


class _Incoming(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left_s())
        return self._connection.recv_into(buffer)


@contextmanager
def fetch_errors(deadline: Deadline) -> Iterator[None]:
    """Convert errors of network and HTTP to `FetchFailed` with the name of the host."""
    try:
        yield
    except TimeoutError as error:
        raise deadline.missed() from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed(f"{deadline.host}: {reason_of(error)}") from error


def reason_of(error: Exception | None) -> str:
    """Return the reason of an error, without parts of the URL or of the answer."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "no answer" if error is None else type(error).__name__


def is_public(address: str) -> bool:
    """Return whether a numeric address is reachable by everyone on the Internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if any(parsed in network for network in _DENIED if network.version == parsed.version):
        return False
    if parsed.version == 6 and parsed not in _UNICAST:
        return False
    return parsed.is_global
