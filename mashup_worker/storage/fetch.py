"""Reads a URL that somebody else chose, without being led to where only we can go.

The name is looked up once, every address it has is checked, and the connection goes to one of those
very addresses, under the original name: an answer that changes between look-ups changes nothing.
Redirects are checked in the same way. Proxies of the environment are ignored.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from mashup_worker import __version__
from mashup_worker.errors import FetchFailed, FetchRefused, InvalidInput
from mashup_worker.storage.wire import Deadline, Wire, connect, look_up, told
from mashup_worker.storage.writing import too_large, write_capped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from urllib.parse import SplitResult

_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"https": 443, "http": 80}
_PASSING = (408, 425, 429)
"""Answers of the 400s that another try may change."""

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]+")
_LENGTH = re.compile(r"[0-9]{1,30}")
_NO_URL = "that is not a URL"
_NO_HOST = "a URL whose host can be neither a name nor an address is not read"
_IN_PATHS = "/%:@!$&'()*+,;=~-._"
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"mashup-worker/{__version__}"}


def fetch(
    url: str, target: Path, *, max_bytes: int, timeout_s: float, allow_private: bool = False
) -> None:
    """Read a URL into a file, which appears when it is whole.

    Messages name the host alone: the rest of a URL may hold a signature.

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
        StorageFailed: the file can't be written.
    """
    until_s = time.monotonic() + timeout_s
    for _ in range(_MOST_REDIRECTS + 1):
        parts = _checked(url, allow_private=allow_private)
        host = _host(parts)
        deadline = Deadline(host, until_s)
        with _connection(parts, deadline, allow_private=allow_private) as connection:
            answer = _ask(connection, parts, deadline)
            if answer.status not in _REDIRECTS:
                _check_answer(answer, host, max_bytes)
                write_capped(_Body(answer, deadline).read, target, host, max_bytes)
                return
            onward = answer.headers.get("Location")
        if not onward:
            raise FetchFailed(f"{host} redirects to nowhere")
        url = _onward(url, onward)
    raise FetchRefused(f"{host} redirects more than {_MOST_REDIRECTS} times")


def _checked(url: str, *, allow_private: bool) -> SplitResult:
    """The URL's parts, if it is of a form that may be read."""
    _check_letters(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchRefused(_NO_URL) from error
    allowed = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in allowed:
        scheme = parts.scheme[:20] or "no scheme"  # it may be as long as the URL
        raise FetchRefused(f"{scheme}: only {' and '.join(allowed)} is read")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused("a URL with a user name is not read")
    if not parts.hostname or "\\" in parts.netloc:
        raise FetchRefused("a URL without a host is not read")
    if not allow_private and port not in (None, _PORTS[parts.scheme]):
        raise FetchRefused(f"port {port} is not read")
    return parts


def _check_letters(url: str) -> None:
    # Some of them Python takes out of a URL in silence.
    if any(letter.isspace() or unicodedata.category(letter) in ("Cc", "Cs") for letter in url):
        raise FetchRefused("a URL has no spaces and no control characters")


def _host(parts: SplitResult) -> str:
    """The URL's host in ASCII, as it is looked up and as messages may name it."""
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError as error:
        raise FetchRefused(_NO_HOST) from error
    if not _HOST.fullmatch(host):
        raise FetchRefused(_NO_HOST)
    return host


def _onward(url: str, location: str) -> str:
    """The URL that an answer of the first one leads to."""
    # Headers are read as Latin-1, whatever they are.
    location = location.encode("latin-1").decode(errors="replace")
    _check_letters(location)
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchRefused(_NO_URL) from error


@contextmanager
def _connection(
    parts: SplitResult, deadline: Deadline, *, allow_private: bool
) -> Iterator[http.client.HTTPConnection]:
    """A connection to one of the checked addresses, under the original name."""
    host = deadline.host
    port = parts.port or _PORTS[parts.scheme]
    places = look_up(port, deadline, allow_private=allow_private)
    socket = connect(places, deadline)
    try:
        if parts.scheme == "https":
            with told(deadline):
                context = ssl.create_default_context()
                socket.settimeout(deadline.left_s())
                socket = context.wrap_socket(socket, server_hostname=host)
        connection = http.client.HTTPConnection(host, port)
        # Without it the port would be part of the Host header, which signatures cover.
        connection.default_port = _PORTS[parts.scheme]
        # http.client needs no more of a socket than this one has.
        connection.sock = Wire(socket, deadline)
        yield connection
    finally:
        socket.close()


def _ask(
    connection: http.client.HTTPConnection, parts: SplitResult, deadline: Deadline
) -> http.client.HTTPResponse:
    path = quote(parts.path or "/", safe=_IN_PATHS)
    query = quote(parts.query, safe=_IN_PATHS + "?")
    with told(deadline):
        connection.request("GET", f"{path}?{query}" if query else path, headers=_HEADERS)
        return connection.getresponse()


def _check_answer(answer: http.client.HTTPResponse, host: str, max_bytes: int) -> None:
    if answer.status >= 500 or answer.status in _PASSING:
        raise FetchFailed(f"{host} answered {answer.status}")
    if answer.status != 200:
        raise InvalidInput(f"{host} answered {answer.status}")
    lengths = {length.strip() for length in answer.headers.get_all("Content-Length", [])}
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise FetchFailed(f"{host} does not say how long it is")
    if _packed(answer):
        raise FetchFailed(f"{host} sent it packed, though it was asked not to")
    if answer.length is not None and answer.length > max_bytes:
        raise too_large(host, max_bytes)


def _packed(answer: http.client.HTTPResponse) -> bool:
    for coding in answer.headers.get_all("Content-Encoding", []):
        if coding.strip().lower() != "identity":
            return True
    # `http.client` takes any other coding for none.
    codings = answer.headers.get_all("Transfer-Encoding", [])
    return bool(codings) and (len(codings) > 1 or not answer.chunked)


class _Body:
    """The bytes of an answer, which must be as many as it says."""

    def __init__(self, answer: http.client.HTTPResponse, deadline: Deadline) -> None:
        self._answer, self._deadline = answer, deadline
        self._declared, self._read = answer.length, 0

    def read(self, count: int) -> bytes:
        """Some bytes; none at the end.

        Raises:
            FetchFailed: they don't come, or it is not the end yet.
        """
        with told(self._deadline):
            block = self._answer.read1(count)
        self._read += len(block)
        if not block and self._declared is not None and self._read != self._declared:
            raise FetchFailed(f"{self._deadline.host} sent {self._read} of {self._declared} bytes")
        return block
