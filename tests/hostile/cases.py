"""Hostile URLs with their expected outcomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.errors import MashupError
    from tests.hostile.servers import Answer

SECRET = "s3cr3t"
"""Stands for signatures and passwords in URLs; no message may contain it."""

SIGNED = f"song.wav?signature={SECRET}"
SONG = f"https://song.example/{SIGNED}"

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Case:
    """Hostile URL.

    Attributes:
        name: the attack.
        url: URL in the job's input.
        error: expected error.
        says: expected part of the message.
        answers: answers of the public server by path.
        visits: expected number of connections to the public server.
        timeout_s: timeout of the fetch.
        max_bytes: size limit of the file.
    """

    name: str
    url: str
    error: type[MashupError]
    says: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    visits: int = 0
    timeout_s: float = 60.0
    max_bytes: int = 10_000


def redirect(location: str | bytes, status: int = 302) -> bytes:
    """Return a redirect."""
    encoded = location.encode() if isinstance(location, str) else location
    head = f"HTTP/1.1 {status} Found\r\nContent-Length: 0\r\nLocation: ".encode()
    return head + encoded + b"\r\n\r\n"


def whole(body: bytes, *headers: bytes) -> bytes:
    """Return a valid answer."""
    lines = (b"Content-Length: %d" % len(body), *headers)
    return OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body
