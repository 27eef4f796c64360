"""Answers of servers that violate HTTP, stall, or send too much."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from mashup_worker.errors import FetchFailed, InvalidInput, TooLarge
from tests.hostile.cases import OK, SECRET, SONG, Case, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.errors import MashupError
    from tests.hostile.servers import Answer, Talk

_SHORT_S = 0.4
_CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
_BLOCK = b"x" * 16_384


def _drip_body(talk: Talk) -> None:
    talk.say(OK, b"Content-Length: 9000\r\n\r\n")
    talk.drip(b"x")


def _drip_chunks(talk: Talk) -> None:
    talk.say(_CHUNKED)
    talk.drip(b"1\r\nx\r\n")


def _drip_chunk_size(talk: Talk) -> None:
    talk.say(_CHUNKED)
    talk.drip(b"0")


def _drip_status(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 ")
    talk.drip(b"O")


def _drip_header(talk: Talk) -> None:
    talk.say(OK, b"X-Long: ")
    talk.drip(b"x")


def _drip_headers(talk: Talk) -> None:
    talk.say(OK)
    talk.drip(b"X: y\r\n", every_s=0.05)


def _drip_continue(talk: Talk) -> None:
    talk.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def _drip_trailer(talk: Talk) -> None:
    talk.say(_CHUNKED, b"4\r\nsong\r\n0\r\n")
    talk.drip(b"X: y\r\n")


def _stop_in_the_middle(talk: Talk) -> None:
    talk.say(OK, b"Content-Length: 9000\r\n\r\n", b"x" * 100)
    talk.listen()


def _reset_at_once(talk: Talk) -> None:
    talk.reset()


def _reset_in_the_body(talk: Talk) -> None:
    talk.say(OK, b"Content-Length: 9000\r\n\r\n", b"x" * 100)
    talk.reset()


def _endless_body(talk: Talk) -> None:
    talk.say(OK, b"\r\n")
    talk.flood(_BLOCK)


def _endless_chunks(talk: Talk) -> None:
    talk.say(_CHUNKED)
    talk.flood(b"400\r\n" + b"x" * 1024 + b"\r\n")


def _endless_header(talk: Talk) -> None:
    talk.say(OK, b"X: ")
    talk.flood(_BLOCK)


def _endless_headers(talk: Talk) -> None:
    talk.say(OK)
    talk.flood(b"X: y\r\n" * 100)


def _endless_status(talk: Talk) -> None:
    talk.flood(_BLOCK)


def _endless_chunk_size(talk: Talk) -> None:
    talk.say(_CHUNKED)
    talk.flood(b"0" * 4096)


def _sized(length: bytes, body: bytes = b"song") -> bytes:
    return OK + b"Content-Length: " + length + b"\r\n\r\n" + body


_SLOW: Mapping[str, Answer] = {
    "a body, byte by byte": _drip_body,
    "chunks, one by one": _drip_chunks,
    "the size of a chunk, digit by digit": _drip_chunk_size,
    "a status, byte by byte": _drip_status,
    "a header, byte by byte": _drip_header,
    "headers, one by one": _drip_headers,
    "100 Continue, repeated": _drip_continue,
    "a trailer, line by line": _drip_trailer,
    "half a body, then silence": _stop_in_the_middle,
    "silence": lambda talk: talk.listen(),
}

_LARGE: Mapping[str, Answer] = {
    "an endless body": _endless_body,
    "endless chunks": _endless_chunks,
    "a length over the limit": _sized(b"10001"),
    "a length of 20 digits": _sized(b"9" * 20),
    "a body over the limit": whole(b"x" * 10_001),
    "a chunk over the limit": _CHUNKED + b"4000\r\n" + _BLOCK + b"\r\n0\r\n\r\n",
}

_BROKEN: Mapping[str, tuple[Answer, str]] = {
    "an endless header": (_endless_header, "LineTooLong"),
    "endless headers": (_endless_headers, "HTTPException"),
    "an endless status line": (_endless_status, "LineTooLong"),
    "an endless chunk size": (_endless_chunk_size, ""),
    "no answer": (b"", "RemoteDisconnected"),
    "not HTTP": (f"{SECRET}\x1b[31m\r\n\r\n".encode(), "BadStatusLine"),
    "a Redis answer": (b"-ERR unknown command\r\n\r\n", "BadStatusLine"),
    "a status of letters": (b"HTTP/1.1 OK\r\n\r\n", "BadStatusLine"),
    "a reset before the answer": (_reset_at_once, ""),
    "a reset in the body": (_reset_in_the_body, ""),
    "fewer bytes than Content-Length": (_sized(b"9000"), "sent 4 of 9000 bytes"),
    "a negative length": (_sized(b"-1"), "invalid Content-Length"),
    "a length of letters": (_sized(b"many"), "invalid Content-Length"),
    "a length with a sign": (_sized(b"+4"), "invalid Content-Length"),
    "a length with an underscore": (_sized(b"1_0"), "invalid Content-Length"),
    "a length of 5000 digits": (_sized(b"9" * 5000), "invalid Content-Length"),
    "an empty length": (_sized(b""), "invalid Content-Length"),
    "two lengths": (whole(b"song", b"Content-Length: 5"), "invalid Content-Length"),
    "a chunk size of letters": (_CHUNKED + b"song\r\nx\r\n0\r\n\r\n", "IncompleteRead"),
    "a negative chunk size": (_CHUNKED + b"-4\r\nsong\r\n0\r\n\r\n", "IncompleteRead"),
    "no last chunk": (_CHUNKED + b"4\r\nsong\r\n", "IncompleteRead"),
    "a truncated chunk": (_CHUNKED + b"400\r\nsong", "IncompleteRead"),
    "gzip": (
        whole(gzip.compress(bytes(1_000_000)), b"Content-Encoding: gzip"),
        "compressed the answer",
    ),
    "two content codings": (
        whole(b"x", b"Content-Encoding: identity", b"Content-Encoding: br"),
        "compressed the answer",
    ),
    "gzip as transfer coding": (
        OK + b"Transfer-Encoding: gzip\r\n\r\nsong",
        "compressed the answer",
    ),
    "gzip and chunked": (
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\nx",
        "compressed the answer",
    ),
}

_STATUS: Mapping[int, type[MashupError]] = {
    101: InvalidInput,
    201: InvalidInput,
    204: InvalidInput,
    206: InvalidInput,
    300: InvalidInput,
    304: InvalidInput,
    400: InvalidInput,
    401: InvalidInput,
    403: InvalidInput,
    404: InvalidInput,
    407: InvalidInput,
    408: FetchFailed,
    410: InvalidInput,
    416: InvalidInput,
    425: FetchFailed,
    429: FetchFailed,
    451: InvalidInput,
    500: FetchFailed,
    502: FetchFailed,
    503: FetchFailed,
    504: FetchFailed,
    599: FetchFailed,
    999: FetchFailed,
}


def _answered(status: int) -> bytes:
    words = f"HTTP/1.1 {status} {SECRET}\r\nContent-Length: 4\r\nRetry-After: 99999\r\n\r\nsong"
    return words.encode()


ANSWERS = (
    *(
        Case(name, SONG, FetchFailed, "song.example: took too long", {"*": slow}, 1, _SHORT_S)
        for name, slow in _SLOW.items()
    ),
    *(
        Case(
            name, SONG, TooLarge, "song.example: larger than the limit of 0.01 MB", {"*": large}, 1
        )
        for name, large in _LARGE.items()
    ),
    *(
        Case(name, SONG, FetchFailed, says, {"*": broken}, 1)
        for name, (broken, says) in _BROKEN.items()
    ),
    *(
        Case(f"status {status}", SONG, kind, f"answered {status}", {"*": _answered(status)}, 1)
        for status, kind in _STATUS.items()
    ),
)
