"""Reads a URL that somebody else chose, without being led to where only we can go.

The name is looked up once, every address it has is checked, and the connection goes to one of those
very addresses, under the original name: an answer that changes between look-ups changes nothing.
Redirects are checked in the same way. Proxies of the environment are ignored.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from mashup_worker import __version__
from mashup_worker.errors import FetchFailed, FetchRefused, InvalidInput, MashupError
from mashup_worker.storage.objects import too_large, write_capped

if TYPE_CHECKING:
    from pathlib import Path
    from urllib.parse import SplitResult

_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"https": 443, "http": 80}
_PASSING = (408, 425, 429)
"""Answers of the 400s that another try may change."""

_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # a cloud's own services
        "192.0.0.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # IPv4 in IPv6, in all the forms below too
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
"""What Python's `is_global` lets through, or may in some version."""


@dataclass(frozen=True)
class _Limits:
    max_bytes: int
    until_s: float
    allow_private: bool

    def left_s(self, host: str) -> float:
        """Seconds that are left.

        Raises:
            FetchFailed: none are.
        """
        left_s = self.until_s - time.monotonic()
        if left_s <= 0:
            raise FetchFailed(f"{host} took too long")
        return left_s


def fetch(
    url: str, target: Path, *, max_bytes: int, timeout_s: float, allow_private: bool = False
) -> None:
    """Read a URL into a file, which appears when it is whole.

    Args:
        url: `https://…`.
        target: the file.
        max_bytes: what it may hold at most.
        timeout_s: for everything together.
        allow_private: also take plain http, any port, and addresses of private networks.

    Raises:
        FetchRefused: the address may not be read.
        FetchFailed: it did not answer well; another try may help.
        TooLarge: there is more than `max_bytes`.
        InvalidInput: it answers that there is no such thing.
    """
    limits = _Limits(max_bytes, time.monotonic() + timeout_s, allow_private)
    for _ in range(_MOST_REDIRECTS + 1):
        parts = _checked(url, allow_private=allow_private)
        host = parts.hostname or ""
        try:
            onward = _get(parts, host, target, limits)
        except MashupError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise FetchFailed(f"{host}: {reason.partition(chr(10))[0]}") from error
        if onward is None:
            return
        url = urljoin(url, onward)
    raise FetchRefused(f"{host} redirects more than {_MOST_REDIRECTS} times")


def _checked(url: str, *, allow_private: bool) -> SplitResult:
    """The URL's parts, if it is of a form that may be read."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchRefused(f"not a URL: {error}") from error
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise FetchRefused("a URL has no spaces and no control characters")
    allowed = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in allowed:
        raise FetchRefused(f"{parts.scheme or 'no scheme'}: only {' and '.join(allowed)} is read")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused("a URL with a user name is not read")
    if not parts.hostname:
        raise FetchRefused("a URL without a host is not read")
    if not allow_private and port not in (None, _PORTS[parts.scheme]):
        raise FetchRefused(f"port {port} is not read")
    return parts


def _addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """All addresses of a host.

    Raises:
        FetchRefused: one of them is not public.
        FetchFailed: the name can't be looked up.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a name"
        raise FetchFailed(f"{host}: {reason}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not allow_private and not _is_public(address):
            raise FetchRefused(f"{host}: its address is not public")
    return addresses


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if any(parsed in network for network in _DENIED if network.version == parsed.version):
        return False
    return parsed.is_global


def _get(parts: SplitResult, host: str, target: Path, limits: _Limits) -> str | None:
    """Read one URL; where it redirects to, if it does."""
    connection = _connect(parts, host, limits)
    try:
        path = parts.path or "/"
        connection.request(
            "GET",
            f"{path}?{parts.query}" if parts.query else path,
            headers={"Accept-Encoding": "identity", "User-Agent": f"mashup-worker/{__version__}"},
        )
        answer = connection.getresponse()
        if answer.status in _REDIRECTS:
            onward = answer.headers.get("Location")
            if not onward:
                raise FetchFailed(f"{host} redirects to nowhere")
            return onward
        _check_answer(answer, host, limits)
        declared = answer.length
        size = write_capped(
            lambda count: _read(connection, answer, count, host, limits),
            target,
            limits.max_bytes,
            host,
        )
        if declared is not None and size != declared:
            target.unlink(missing_ok=True)
            raise FetchFailed(f"{host} sent {size} bytes of {declared}")
        return None
    finally:
        connection.close()


def _check_answer(answer: http.client.HTTPResponse, host: str, limits: _Limits) -> None:
    if answer.status >= 500 or answer.status in _PASSING:
        raise FetchFailed(f"{host} answered {answer.status}")
    if answer.status != 200:
        raise InvalidInput(f"{host} answered {answer.status}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchFailed(f"{host} sent it packed, though it was asked not to")
    if answer.length is not None and answer.length > limits.max_bytes:
        raise too_large(host, limits.max_bytes)


def _read(
    connection: http.client.HTTPConnection,
    answer: http.client.HTTPResponse,
    count: int,
    host: str,
    limits: _Limits,
) -> bytes:
    left_s = limits.left_s(host)
    if connection.sock is not None:
        connection.sock.settimeout(left_s)
    # One receive at a time, so that a body that trickles meets the deadline.
    return answer.read1(count)


def _connect(parts: SplitResult, host: str, limits: _Limits) -> http.client.HTTPConnection:
    """A connection to one of the checked addresses, under the original name."""
    port = parts.port or _PORTS[parts.scheme]
    addresses = _addresses(host, port, allow_private=limits.allow_private)
    connection = http.client.HTTPConnection(host, port)
    failure: OSError | None = None
    for address in addresses:
        try:
            raw = socket.create_connection((address, port), timeout=limits.left_s(host))
        except OSError as error:
            failure = error
            continue
        if parts.scheme == "https":
            raw = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
        connection.sock = raw
        return connection
    raise FetchFailed(f"{host}: {failure}") from failure
