"""ZIP archives of objects of the store, uncompressed and sent while they are read.

Source: APPNOTE.TXT 6.3.10 of PKWARE.
"""

from __future__ import annotations

import zlib
from contextlib import closing
from dataclasses import dataclass
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from mashup_worker.errors import InvalidInput, NotFound, StorageFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import datetime

    from mashup_worker.storage.objects import Storage

_LIMIT = 0xFFFFFFFF
"""Sizes and offsets from which a field of 64 bits replaces one of 32."""

_VERSION, _VERSION_64, _MADE_ON_UNIX = 20, 45, 3 << 8
_UTF8_NAME = 1 << 11
_FILE_MODE = 0o100644 << 16


@dataclass(frozen=True, kw_only=True)
class ZipEntry:
    """File of an archive.

    Attributes:
        name: name in the archive.
        key: key of the object.
        size: its size in bytes.
        modified_at: time of the file.
    """

    name: str
    key: str
    size: int
    modified_at: datetime


class _Written(NamedTuple):
    entry: ZipEntry
    crc: int
    offset: int


def zip_entry(storage: Storage, key: str, name: str) -> ZipEntry:
    """Return an object as a file of an archive.

    Raises:
        NotFound: the object does not exist.
        StorageFailed: the store is unavailable.
    """
    found = storage.head(key)
    if found is None:
        raise NotFound("file: not found")
    return ZipEntry(name=name, key=key, size=found.bytes, modified_at=found.modified_at)


def zip_size(entries: Sequence[ZipEntry]) -> int:
    """Return the size of an archive in bytes."""
    offset, directory = 0, 0
    for entry in entries:
        written = _Written(entry, 0, offset)
        offset += len(_local_header(written)) + entry.size
        directory += len(_directory_entry(written))
    return offset + directory + len(_end(len(entries), offset, directory))


def zip_blocks(storage: Storage, entries: Sequence[ZipEntry]) -> Generator[bytes]:
    """Yield an archive in blocks that are never empty.

    Every object is read twice: the header in front of a file has the CRC of the file, since readers
    of streams cannot find the end of an uncompressed file whose CRC follows it.

    Raises:
        StorageFailed: an object cannot be read, or has changed.
    """
    written: list[_Written] = []
    offset = 0
    for entry in entries:
        crc = 0
        for block in _blocks(storage, entry):
            crc = zlib.crc32(block, crc)
        written.append(_Written(entry, crc, offset))
        header = _local_header(written[-1])
        yield header
        yield from _blocks(storage, entry)
        offset += len(header) + entry.size
    directory = b"".join(map(_directory_entry, written))
    yield directory + _end(len(written), offset, len(directory))


def _blocks(storage: Storage, entry: ZipEntry) -> Generator[bytes]:
    try:
        with closing(storage.read_range(entry.key, 0, entry.size)) as blocks:
            yield from blocks
    except InvalidInput as error:  # it was deleted meanwhile
        raise StorageFailed(error.message) from error


def _local_header(written: _Written) -> bytes:
    entry, name = written.entry, written.entry.name.encode()
    sizes, extra = [entry.size] * 2, b""
    if entry.size >= _LIMIT:
        sizes, extra = [_LIMIT] * 2, pack("<HHQQ", 1, 16, entry.size, entry.size)
    return (
        pack(
            "<4sHHHIIIIHH",
            b"PK\3\4",
            _VERSION_64 if extra else _VERSION,
            _flags(entry),
            0,  # not compressed
            _dos_time(entry.modified_at),
            written.crc,
            *sizes,
            len(name),
            len(extra),
        )
        + name
        + extra
    )


def _directory_entry(written: _Written) -> bytes:
    entry, name = written.entry, written.entry.name.encode()
    fields = (entry.size, entry.size, written.offset)
    large = [one for one in fields if one >= _LIMIT]
    extra = pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, stored_size, offset = (min(one, _LIMIT) for one in fields)
    version = _VERSION_64 if extra else _VERSION
    return (
        pack(
            "<4sHHHHIIIIHHHHHII",
            b"PK\1\2",
            _MADE_ON_UNIX | version,
            version,
            _flags(entry),
            0,
            _dos_time(entry.modified_at),
            written.crc,
            stored_size,
            size,
            len(name),
            len(extra),
            0,  # no comment
            0,
            0,
            _FILE_MODE,
            offset,
        )
        + name
        + extra
    )


def _end(count: int, offset: int, size: int) -> bytes:
    """Return the end of an archive, after its directory at an offset."""
    before = b""
    if offset >= _LIMIT or size >= _LIMIT:
        version = _VERSION_64
        before = pack(
            "<4sQHHIIQQQQ",
            b"PK\6\6",
            44,
            _MADE_ON_UNIX | version,
            version,
            0,
            0,
            count,
            count,
            size,
            offset,
        ) + pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    return before + pack(
        "<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, min(size, _LIMIT), min(offset, _LIMIT), 0
    )


def _flags(entry: ZipEntry) -> int:
    return 0 if entry.name.isascii() else _UTF8_NAME


def _dos_time(at: datetime) -> int:
    """Return date and time as DOS has them, which begin in 1980 and count every other second."""
    date = max(0, at.year - 1980) << 9 | at.month << 5 | at.day
    return date << 16 | at.hour << 11 | at.minute << 5 | at.second // 2
