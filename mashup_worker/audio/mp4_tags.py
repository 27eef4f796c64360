"""Tags of MP4 files: a new user data box, after the tracks, in files whose movie box comes last.

Sources: ISO/IEC 14496-12 (boxes), Apple's "QuickTime File Format" (metadata items), and the names
that iTunes gives them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from mashup_worker.audio.song_tags import SongTags

_TEXTS: Mapping[str, bytes] = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "album": b"\xa9alb",
    "album_artist": b"aART",
    "date": b"\xa9day",
    "genre": b"\xa9gen",
    "comment": b"\xa9cmt",
}
_NAMED: Mapping[str, bytes] = {"isrc": b"ISRC", "key": b"initialkey"}
"""Tags without an item of their own; programs agree on these names."""

_IMPLICIT, _UTF8, _JPEG, _PNG, _INTEGER = 0, 1, 13, 14, 21
_METADATA_HANDLER = bytes(8) + b"mdirappl" + bytes(9)


def write_user_data(file: BinaryIO, tags: SongTags, *others: bytes) -> None:
    """Replace the user data of a file, opened for reading and writing, by tags and other boxes.

    Raises:
        ValueError: the movie box is not the last.
        OSError: the disk is full.
    """
    start, movie = _movie(file)
    kept = b"".join(data for name, data in boxes(movie) if name != b"udta")
    file.seek(start)
    file.write(box(b"moov", kept + box(b"udta", _metadata(tags) + b"".join(others))))
    file.truncate()


def box(name: bytes, content: bytes) -> bytes:
    """Return a box: size, a name of four letters, content."""
    return (len(content) + 8).to_bytes(4, "big") + name + content


def boxes(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return the boxes in the content of a box: names, and the boxes with their headers."""
    found, at = [], 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size < 8:
            raise ValueError("a box without a size")
        found.append((content[at + 4 : at + 8], content[at : at + size]))
        at += size
    return found


def _movie(file: BinaryIO) -> tuple[int, bytes]:
    """Return the position of the movie box and its content."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        if head[4:8] == b"moov" and at + size == end:
            file.seek(at + 8)
            return at, file.read(size - 8)
        if size < 8:
            break
        at += size
    raise ValueError("the movie box is not the last")


def _metadata(tags: SongTags) -> bytes:
    texts = tags.texts()
    items = [box(_TEXTS[name], _utf8(text)) for name, text in texts.items() if name in _TEXTS]
    if tags.track is not None:
        numbers = tags.track.to_bytes(4, "big") + (tags.track_total or 0).to_bytes(2, "big")
        items.append(box(b"trkn", _data(_IMPLICIT, numbers + bytes(2))))
    if tags.tempo_bpm is not None:
        items.append(box(b"tmpo", _data(_INTEGER, round(tags.tempo_bpm).to_bytes(2, "big"))))
    items += [_item(_NAMED[name], text) for name, text in texts.items() if name in _NAMED]
    if tags.cover is not None:
        kind = _PNG if tags.cover_type == "image/png" else _JPEG
        items.append(box(b"covr", _data(kind, tags.cover)))
    handler = box(b"hdlr", _METADATA_HANDLER)
    return box(b"meta", bytes(4) + handler + box(b"ilst", b"".join(items)))


def _item(name: bytes, text: str) -> bytes:
    mean = box(b"mean", bytes(4) + b"com.apple.iTunes")
    return box(b"----", mean + box(b"name", bytes(4) + name) + _utf8(text))


def _utf8(text: str) -> bytes:
    return _data(_UTF8, text.encode())


def _data(kind: int, value: bytes) -> bytes:
    return box(b"data", kind.to_bytes(4, "big") + bytes(4) + value)
