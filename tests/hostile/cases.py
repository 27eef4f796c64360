"""What a hostile URL is, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.errors import MashupError
    from tests.hostile.servers import Answer

SECRET = "s3cr3t"
"""Stands wherever a URL may hold a signature or a password; no message may name it."""

SIGNED = f"song.wav?signature={SECRET}"
SONG = f"https://song.example/{SIGNED}"

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Case:
    """A URL of a stranger.

    Attributes:
        name: what it tries.
        url: what the job names.
        error: how it ends.
        says: part of the message.
        answers: what the public server answers, by path.
        visits: connections that the public server gets.
        timeout_s: for everything.
        max_bytes: what the file may hold.
    """

    name: str
    url: str
    error: type[MashupError]
    says: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    visits: int = 0
    timeout_s: float = 5.0
    max_bytes: int = 10_000


def redirect(where: str | bytes, status: int = 302) -> bytes:
    """An answer that leads elsewhere."""
    where = where.encode() if isinstance(where, str) else where
    head = f"HTTP/1.1 {status} Elsewhere\r\nContent-Length: 0\r\nLocation: ".encode()
    return head + where + b"\r\n\r\n"


def whole(body: bytes, *headers: bytes) -> bytes:
    """A good answer."""
    lines = (b"Content-Length: %d" % len(body), *headers)
    return OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body
