"""Pages of Ogg files: the links of a chain, and missing pages.

A chain is several Ogg streams one after another, such as the songs of a recorded radio program.
Source: RFC 3533.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.audio.descriptors import BufferedReader

_CAPTURE = b"OggS\0"
_HEADER_BYTES = 27
_FIRST_PAGE, _LAST_PAGE = 2, 4
_NO_POSITION = (1 << 64) - 1
_SEARCH_BYTES = 1 << 16
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse, as zlib's checksum expects them."""


@dataclass
class OggLink:
    """Link of a chain.

    Attributes:
        start, stop: its bytes.
        gaps: granule positions, in samples, behind which pages are missing or damaged.
        is_ended: whether its last page is there.
    """

    start: int
    stop: int
    gaps: list[int] = field(default_factory=list)
    is_ended: bool = False


@dataclass(frozen=True, kw_only=True)
class _Page:
    start: int
    stop: int
    is_first: bool
    is_last: bool
    granule: int
    serial: int
    number: int


def ogg_links(reader: BufferedReader, start: int, start_until: int) -> list[OggLink]:
    """Return the links of an Ogg file whose first page lies between two bytes."""
    links: list[OggLink] = []
    numbers: dict[int, int] = {}
    granule, in_headers = 0, False
    for page in _pages(reader, start, start_until):
        if page.is_first and not in_headers:
            links.append(OggLink(page.start, page.stop))
            numbers, granule = {}, 0
        in_headers = page.is_first
        if not links:
            continue
        link = links[-1]
        if page.number != numbers.get(page.serial, page.number):
            link.gaps.append(granule)
        numbers[page.serial] = page.number + 1 & 0xFFFFFFFF
        granule = granule if page.granule == _NO_POSITION else page.granule
        link.stop, link.is_ended = page.stop, link.is_ended or page.is_last
    return links


def _pages(reader: BufferedReader, position: int, first_until: int) -> Iterator[_Page]:
    """Yield the undamaged pages; bytes between them are skipped."""
    limit = first_until
    while position < limit:
        page = _page(reader, position)
        if page is not None:
            yield page
            position, limit = page.stop, reader.size
            continue
        window = reader.read(position, _SEARCH_BYTES)
        found = window.find(_CAPTURE, 1)
        if found < 0 and len(window) < _SEARCH_BYTES:
            return
        position += found if found > 0 else _SEARCH_BYTES - len(_CAPTURE)


def _page(reader: BufferedReader, position: int) -> _Page | None:
    head = reader.read(position, _HEADER_BYTES + 255)
    if not head.startswith(_CAPTURE) or len(head) < _HEADER_BYTES:
        return None
    length = _HEADER_BYTES + head[26] + sum(head[_HEADER_BYTES : _HEADER_BYTES + head[26]])
    data = reader.read(position, length)
    granule, serial, number, checksum = (
        int.from_bytes(head[start:stop], "little")
        for start, stop in ((6, 14), (14, 18), (18, 22), (22, 26))
    )
    if len(data) < length or page_checksum(data) != checksum:
        return None
    is_first, is_last = bool(head[5] & _FIRST_PAGE), bool(head[5] & _LAST_PAGE)
    return _Page(
        start=position,
        stop=position + length,
        is_first=is_first,
        is_last=is_last,
        granule=granule,
        serial=serial,
        number=number,
    )


def page_checksum(page: bytes) -> int:
    """Return the CRC of a page, which is zlib's with reversed bits and without its inversions."""
    plain = page[:22] + bytes(4) + page[26:]
    value = zlib.crc32(plain.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(value.to_bytes(4, "little").translate(_REVERSED), "big")
