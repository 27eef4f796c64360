"""Internet of two servers: a public one, and a private one that must not be reached.

Names are resolved in a table, and all connections lead to this machine: those to public addresses
to the public server, all others to the private one, which answers. Every other part of the fetcher
is real.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.hostile.servers import serving

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    import pytest

    from tests.hostile.servers import Server

PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "2606:4700:4700::1111"
CLOSED = "93.184.215.15"
"""Public address with closed ports."""

NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "song.example": ((PUBLIC,),),
    "six.example": ((OTHER_PUBLIC,),),
    "closed.example": ((CLOSED,),),
    "localhost": (("127.0.0.1", "::1"),),
    "inside.example": (("10.0.0.1",),),
    "metadata.example": (("169.254.169.254",),),
    "six-inside.example": (("fd00:ec2::254",),),
    "mixed.example": ((PUBLIC, "10.0.0.1"),),
    "mixed-first.example": (("127.0.0.1", PUBLIC),),
    "mixed-six.example": ((PUBLIC, "::1"),),
    "mapped.example": (("::ffff:10.0.0.1",),),
    "linked.example": (("fe80::1%2",),),
    "changing.example": ((PUBLIC,), ("10.0.0.1",)),
    "xn--sng-sed.example": (("10.0.0.1",),),
}
"""Addresses of each name for successive look-ups; the last entry repeats."""


@dataclass
class Internet:
    """Network of the fetcher.

    Attributes:
        public: server at all public addresses.
        private: server at all other addresses.
        asked: names that were resolved.
        reached: addresses of connections.
    """

    public: Server
    private: Server
    asked: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    def look_up(self, host: str, port: int, **_options: Any) -> list[Any]:
        """Stand in for `socket.getaddrinfo`."""
        name = host.rstrip(".").lower()
        answers = NAMES.get(name)
        self.asked.append(name)
        if answers is None:
            # Numeric forms that the C library reads; any other name has no address.
            flags = socket.AI_NUMERICHOST
            return _real_look_up(name, port, type=socket.SOCK_STREAM, flags=flags)
        now = answers[min(self.asked.count(name), len(answers)) - 1]
        return [_entry(address, port) for address in now]

    def connect(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        """Stand in for `socket.socket.connect`."""
        host, port = str(address[0]), address[1]
        self.reached.append(f"{host} {port}")
        server = self.public if host in (PUBLIC, OTHER_PUBLIC) and port == 443 else self.private
        if host == CLOSED:
            raise ConnectionRefusedError(111, "Connection refused")
        six = connection.family == socket.AF_INET6
        _real_connect(connection, ("::ffff:127.0.0.1" if six else "127.0.0.1", server.port))


_real_look_up = socket.getaddrinfo
_real_connect = socket.socket.connect


def _entry(address: str, port: int) -> Any:
    figures, _, zone = address.partition("%")
    if ":" not in figures:
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (figures, port))
    place = (figures, port, 0, int(zone or 0))
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", place)


@contextmanager
def internet(
    public: AbstractContextManager[Server], context: ssl.SSLContext, patch: pytest.MonkeyPatch
) -> Iterator[Internet]:
    """Yield a network with a public server, and a private one with a TLS context."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nvault\n"
    with public as open_one, serving({"*": body}, context) as closed_one, patch.context() as here:
        world = Internet(open_one, closed_one)
        here.setattr(socket, "getaddrinfo", world.look_up)
        here.setattr(socket.socket, "connect", lambda *given: world.connect(*given))
        yield world
