"""Requests to untrusted URLs that cannot be directed to private networks.

The host name is resolved once, every address is checked, and the connection goes to a checked
address under the original name. So a name that resolves differently later gains nothing. Redirects
are checked the same way. Proxies of the environment are ignored.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
import unicodedata
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from mashup_worker import __version__
from mashup_worker.errors import FetchFailed, FetchRefused, InvalidInput
from mashup_worker.storage.connection import (
    Deadline,
    DeadlineSocket,
    connect,
    fetch_errors,
    look_up,
)
from mashup_worker.storage.writing import too_large, write_capped
from mashup_worker.tracing import trace_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from urllib.parse import SplitResult

_MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"https": 443, "http": 80}
_RETRYABLE = (408, 425, 429)
"""Status codes below 500 that may pass."""

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]+")
_LENGTH = re.compile(r"[0-9]{1,30}")
_INVALID_URL = "URL: invalid; give https://host/path"
_INVALID_HOST = "URL: its host is neither a name nor an address"
_SAFE = "/%:@!$&'()*+,;=~-._"
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"mashup-worker/{__version__}"}


def fetch(
    url: str, target: Path, *, max_bytes: int, timeout_s: float, allow_private: bool = False
) -> None:
    """Fetch an https URL into a file, which appears when it is complete.

    Messages contain the host only, since other parts of a URL may contain a signature. The timeout
    is of the whole fetch. `allow_private` allows plain http, all ports, and private addresses.

    Raises:
        FetchRefused: the URL is not allowed.
        FetchFailed: the host failed; another try may succeed.
        TooLarge: the file is larger than `max_bytes`.
        InvalidInput: the host has no such file.
        StorageFailed: `target` cannot be written.
    """
    until_s = time.monotonic() + timeout_s
    for _ in range(_MAX_REDIRECTS + 1):
        parts = _checked(url, allow_private=allow_private)
        host = _host(parts)
        deadline = Deadline(host, until_s)
        with _connection(parts, deadline, allow_private=allow_private) as connection:
            answer = _request(connection, parts, deadline)
            if answer.status not in _REDIRECTS:
                _check_answer(answer, host, max_bytes)
                write_capped(_Body(answer, deadline).read, target, name=host, max_bytes=max_bytes)
                return
            location = answer.headers.get("Location")
        if not location:
            raise FetchFailed(f"{host}: redirects without a location")
        url = _redirected(url, location)
    raise FetchRefused(f"{host}: redirects more than {_MAX_REDIRECTS} times")


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    allow_private: bool = False,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Post a body to an https URL; return the status code of the answer, whose body is not read.

    Redirects are not followed. The other limits are those of `fetch`. `tls` saves the time in which
    trusted certificates are loaded, about 20 ms.

    Raises:
        FetchRefused: the URL is not allowed.
        FetchFailed: the host failed; another try may succeed.
    """
    parts = _checked(url, allow_private=allow_private)
    deadline = Deadline(_host(parts), time.monotonic() + timeout_s)
    with _connection(parts, deadline, allow_private=allow_private, tls=tls) as connection:
        return _request(connection, parts, deadline, body, headers).status


def _checked(url: str, *, allow_private: bool) -> SplitResult:
    """Return the parts of a URL whose form is allowed."""
    _check_characters(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchRefused(_INVALID_URL) from error
    allowed = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in allowed:
        scheme = repr(parts.scheme[:20])  # the scheme may be as long as the URL
        raise FetchRefused(f"URL: scheme {scheme} is not allowed; use {' or '.join(allowed)}")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused("URL: a user name is not allowed")
    if not parts.hostname or "\\" in parts.netloc:
        raise FetchRefused("URL: no valid host")
    if not allow_private and port not in (None, _PORTS[parts.scheme]):
        raise FetchRefused(f"URL: port {port} is not allowed")
    return parts


def _check_characters(url: str) -> None:
    # Python silently removes some of them from URLs.
    if any(letter.isspace() or unicodedata.category(letter) in ("Cc", "Cs") for letter in url):
        raise FetchRefused("URL: spaces and control characters are not allowed")


def _host(parts: SplitResult) -> str:
    """Return the host in ASCII, for resolution and messages."""
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError as error:
        raise FetchRefused(_INVALID_HOST) from error
    if not _HOST.fullmatch(host):
        raise FetchRefused(_INVALID_HOST)
    return host


def _redirected(url: str, location: str) -> str:
    """Return the URL to which a redirect leads."""
    # http.client decodes all headers as Latin-1.
    location = location.encode("latin-1").decode(errors="replace")
    _check_characters(location)
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchRefused(_INVALID_URL) from error


@contextmanager
def _connection(
    parts: SplitResult,
    deadline: Deadline,
    *,
    allow_private: bool,
    tls: ssl.SSLContext | None = None,
) -> Iterator[http.client.HTTPConnection]:
    """Yield a connection to a checked address, under the original name."""
    host = deadline.host
    port = parts.port or _PORTS[parts.scheme]
    endpoints = look_up(port, deadline, allow_private=allow_private)
    socket = connect(endpoints, deadline)
    try:
        if parts.scheme == "https":
            with fetch_errors(deadline):
                context = tls or ssl.create_default_context()
                socket.settimeout(deadline.left_s())
                socket = context.wrap_socket(socket, server_hostname=host)
        connection = http.client.HTTPConnection(host, port)
        # Otherwise the Host header, which signatures cover, would contain the port.
        connection.default_port = _PORTS[parts.scheme]
        connection.sock = DeadlineSocket(socket, deadline)
        yield connection
    finally:
        socket.close()


def _request(
    connection: http.client.HTTPConnection,
    parts: SplitResult,
    deadline: Deadline,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> http.client.HTTPResponse:
    """Send a GET, or a POST with a body; return the answer."""
    path = quote(parts.path or "/", safe=_SAFE)
    query = quote(parts.query, safe=_SAFE + "?")
    with fetch_errors(deadline):
        connection.request(
            "GET" if body is None else "POST",
            f"{path}?{query}" if query else path,
            body,
            {**_HEADERS, **trace_headers(), **headers},
        )
        return connection.getresponse()


def _check_answer(answer: http.client.HTTPResponse, host: str, max_bytes: int) -> None:
    if answer.status >= 500 or answer.status in _RETRYABLE:
        raise FetchFailed(f"{host}: answered {answer.status}; try again later")
    if answer.status != 200:
        raise InvalidInput(f"{host}: answered {answer.status}")
    lengths = {length.strip() for length in answer.headers.get_all("Content-Length", [])}
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise FetchFailed(f"{host}: invalid Content-Length")
    if _is_compressed(answer):
        raise FetchFailed(f"{host}: compressed the answer, though identity was requested")
    if answer.length is not None and answer.length > max_bytes:
        raise too_large(host, max_bytes)


def _is_compressed(answer: http.client.HTTPResponse) -> bool:
    for coding in answer.headers.get_all("Content-Encoding", []):
        if coding.strip().lower() != "identity":
            return True
    # `http.client` ignores transfer codings other than chunked.
    codings = answer.headers.get_all("Transfer-Encoding", [])
    return bool(codings) and (len(codings) > 1 or not answer.chunked)


class _Body:
    """Body of an answer, whose length must match the header."""

    def __init__(self, answer: http.client.HTTPResponse, deadline: Deadline) -> None:
        self._answer, self._deadline = answer, deadline
        self._declared, self._read = answer.length, 0

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes, and none at the end."""
        with fetch_errors(self._deadline):
            block = self._answer.read1(count)
        self._read += len(block)
        if not block and self._declared is not None and self._read != self._declared:
            raise FetchFailed(f"{self._deadline.host}: sent {self._read} of {self._declared} bytes")
        return block
