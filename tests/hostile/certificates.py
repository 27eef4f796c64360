"""Servers with invalid certificates, or without TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import trustme

from tests.hostile.cases import whole
from tests.hostile.internet import PUBLIC
from tests.hostile.servers import serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.hostile.servers import Server, Talk

    Maker = Callable[[trustme.CA], AbstractContextManager[Server]]


def context_for(authority: trustme.CA, *hosts: str, **options: Any) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts, **options).configure_cert(made)
    return made


def _plain_http(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    talk.listen()


def _reset(talk: Talk) -> None:
    talk.connection.recv(1)
    talk.reset()


def _silence(talk: Talk) -> None:
    talk.over.wait()


def _partial_handshake(talk: Talk) -> None:
    talk.say(b"\x16\x03\x03\x3f\x00")
    talk.drip(b"\0")


def _greeted(say: Callable[[Talk], None]) -> Maker:
    return lambda _authority: serving(greeting=say)


def _certified(*hosts: str, **options: Any) -> Maker:
    return lambda authority: serving({"*": whole(b"x")}, context_for(authority, *hosts, **options))


_YESTERDAY = datetime.now(UTC) - timedelta(days=1)

INVALID_TLS: dict[str, tuple[Maker, str]] = {
    "another name": (_certified("other.example"), "certificate"),
    "a name with this prefix": (_certified("song.example.evil.example"), "certificate"),
    "a wildcard for subdomains": (_certified("*.song.example"), "certificate"),
    "an address instead of the name": (_certified(PUBLIC), "certificate"),
    "an expired certificate": (
        _certified("song.example", not_before=_YESTERDAY - timedelta(1), not_after=_YESTERDAY),
        "certificate has expired",
    ),
    "an unknown authority": (
        lambda _authority: _certified("song.example")(trustme.CA()),
        "certificate",
    ),
    "plain HTTP": (_greeted(_plain_http), "song.example: "),
    "a partial handshake, byte by byte": (_greeted(_partial_handshake), "took too long"),
    "no handshake": (_greeted(_silence), "took too long"),
    "a reset": (_greeted(_reset), "song.example: "),
}
