"""Read a file of known size from a folder or an https address, within time limits."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mashup_worker.system.deadline import call_within

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_S = 5.0
"""Longest wait for an answer. It bounds names that do not resolve, hosts with many dead addresses,
and servers that accept a connection and send nothing, so that a machine without network fails
soon."""

STALL_S = 15.0
"""Longest pause within a file."""

BLOCK_BYTES = 1 << 20

USER_AGENT = "mashup-worker"


class FetchError(Exception):
    """The file cannot be read from this address."""


class NotThereError(FetchError):
    """The folder or server lacks the file."""


def read_blocks(address: str | Path, size_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, from a path or an http(s) address.

    Raises:
        NotThereError: the folder or server lacks the file.
        FetchError: the address cannot be reached or read, or the length differs from `size_bytes`.
    """
    read_bytes = 0
    try:
        with address.open("rb") if isinstance(address, Path) else _open(address) as file:
            while block := file.read(BLOCK_BYTES):
                read_bytes += len(block)
                if read_bytes > size_bytes:
                    raise FetchError(f"{address}: longer than {size_bytes} bytes")
                yield block
    except FileNotFoundError as error:
        raise NotThereError(f"{address}: no such file") from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{_place(address)}: {_reason(error)}") from error
    if read_bytes < size_bytes:
        raise FetchError(f"{address}: ends after {read_bytes} of {size_bytes} bytes")


def _open(address: str) -> http.client.HTTPResponse:
    request = urllib.request.Request(address, headers={"User-Agent": USER_AGENT})  # noqa: S310

    def ask() -> http.client.HTTPResponse:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=STALL_S)  # noqa: S310
        return response

    try:
        return call_within(ANSWER_S, ask, discard=lambda response: response.close())
    except TimeoutError:
        raise FetchError(f"{_place(address)}: no answer within {ANSWER_S:g} s") from None
    except urllib.error.HTTPError as error:
        error.close()
        refusal = NotThereError if error.code < 500 else FetchError
        raise refusal(f"{address}: {error.code} {error.reason}") from error
    except Exception as error:
        raise FetchError(f"{_place(address)}: {_reason(error)}") from error


def _place(address: str | Path) -> str:
    """Return the location for messages: the path, or the host."""
    return str(address) if isinstance(address, Path) else urlsplit(address).netloc


def _reason(error: BaseException) -> str:
    """Return the reason of an error without error numbers."""
    inner = getattr(error, "reason", error)
    return str(getattr(inner, "strerror", None) or inner or type(inner).__name__)
