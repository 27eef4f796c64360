"""Writing of tags into new files: Vorbis comments in FLAC and Ogg, ID3 in MP3, both kinds in WAV.

Sources: RFC 9639 (FLAC), the Vorbis I specification, RFC 3533 (Ogg), id3.org (ID3v2.3), and
Microsoft's list of the chunks in RIFF INFO.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from mashup_worker.audio.ogg import page_checksum
from mashup_worker.audio.riff_writer import append_chunks, chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.vocabulary import FormatName

_FRONT_COVER = 3
_BLOCK_BYTES = 1 << 20

_NAMES: Mapping[str, tuple[str, str, str]] = {
    "title": ("TITLE", "TIT2", "INAM"),
    "artist": ("ARTIST", "TPE1", "IART"),
    "album": ("ALBUM", "TALB", "IPRD"),
    "album_artist": ("ALBUMARTIST", "TPE2", ""),
    "track": ("TRACKNUMBER", "TRCK", "ITRK"),
    "track_total": ("TRACKTOTAL", "", ""),
    "date": ("DATE", "TYER", "ICRD"),
    "genre": ("GENRE", "TCON", "IGNR"),
    "isrc": ("ISRC", "TSRC", ""),  # ISRC of RIFF INFO is another field, the source
    "tempo_bpm": ("BPM", "TBPM", ""),
    "key": ("INITIALKEY", "TKEY", ""),
    "comment": ("COMMENT", "COMM", "ICMT"),
}
"""Names of tags in Vorbis comments, ID3v2.3 and RIFF INFO; empty where the format has none."""

_ID3_BEFORE_TEXT: Mapping[str, bytes] = {"COMM": b"eng\xff\xfe\0\0"}
"""Language and an empty description, which precede the text of a comment."""

_VENDOR = b"mashup-worker"

_FLAC_LAST, _FLAC_PADDING, _FLAC_COMMENT, _FLAC_PICTURE = 0x80, 1, 4, 6
_FLAC_STREAMINFO_END = 42
_OGG_HEADER_BYTES, _OGG_SEGMENTS, _OGG_SEGMENT_BYTES = 27, 255, 255


def write_tags(file: BinaryIO, audio_format: FormatName, tags: SongTags) -> None:
    """Add tags to a complete file, opened for reading and writing, that has none.

    Raises:
        OSError: the disk is full.
    """
    _WRITERS[audio_format](file, tags)


def _write_flac(file: BinaryIO, tags: SongTags) -> None:
    file.seek(0)
    head = bytearray(file.read(_FLAC_STREAMINFO_END))
    kept, is_last = b"", bool(head[4] & _FLAC_LAST)
    while not is_last:
        block = file.read(4)
        is_last, kind = bool(block[0] & _FLAC_LAST), block[0] & 0x7F
        data = file.read(int.from_bytes(block[1:4], "big"))
        if kind != _FLAC_COMMENT:
            kept += bytes((kind,)) + block[1:] + data
    audio_at = file.tell()
    blocks = [(_FLAC_COMMENT, _vorbis_comments(tags.texts()))]
    if tags.cover is not None:
        blocks.append((_FLAC_PICTURE, _picture(tags)))
    head[4] &= 0x7F
    new = bytes(head) + kept
    new += b"".join(bytes((kind,)) + len(data).to_bytes(3, "big") + data for kind, data in blocks)
    padding = max(0, audio_at - len(new) - 4)  # headers only grow
    new += bytes((_FLAC_LAST | _FLAC_PADDING,)) + padding.to_bytes(3, "big") + bytes(padding)
    _replace_start(file, audio_at, new)


def _write_mp3(file: BinaryIO, tags: SongTags) -> None:
    _replace_start(file, 0, _id3(tags))


def _write_wav(file: BinaryIO, tags: SongTags) -> None:
    info = b"INFO" + b"".join(
        chunk(name.encode(), text.encode() + b"\0") for name, text in _named(tags, 2).items()
    )
    append_chunks(file, (chunk(b"LIST", info), chunk(b"id3 ", _id3(tags))))


def _write_ogg(file: BinaryIO, tags: SongTags) -> None:
    """Replace the comments of a Vorbis stream, which has three headers: form, comments, setup.

    The pages behind the headers get new numbers, and therefore new checksums.
    """
    file.seek(0)
    data = file.read()
    pages = _ogg_pages(data)
    first, headers, rest = pages[0], [], pages[1:]
    packets: list[bytes] = []
    unfinished = b""
    while len(packets) < 2:
        page, *rest = rest
        headers.append(page)
        position = _OGG_HEADER_BYTES + page[26]
        for length in page[_OGG_HEADER_BYTES:position]:
            unfinished += page[position : position + length]
            position += length
            if length < _OGG_SEGMENT_BYTES:
                packets.append(unfinished)
                unfinished = b""
    comments = tags.texts()
    extra = {} if tags.cover is None else {"METADATA_BLOCK_PICTURE": _picture_text(tags)}
    packet = b"\x03vorbis" + _vorbis_comments(comments, extra) + b"\x01"
    new = list(_paged([packet, packets[1]], serial=first[14:18]))
    numbered = [*new, *rest]
    file.seek(0)
    file.write(first)
    for number, page in enumerate(numbered, 1):
        plain = page[:18] + number.to_bytes(4, "little") + bytes(4) + page[26:]
        file.write(plain[:22] + page_checksum(plain).to_bytes(4, "little") + plain[26:])
    file.truncate()


def _ogg_pages(data: bytes) -> list[bytes]:
    pages, position = [], 0
    while position < len(data):
        segments = data[position + 26]
        table = data[position + _OGG_HEADER_BYTES : position + _OGG_HEADER_BYTES + segments]
        stop = position + _OGG_HEADER_BYTES + segments + sum(table)
        pages.append(data[position:stop])
        position = stop
    return pages


def _paged(packets: Iterable[bytes], serial: bytes) -> list[bytes]:
    """Return pages of header packets, without numbers and checksums."""
    lengths, data = bytearray(), b""
    for packet in packets:
        whole, left = divmod(len(packet), _OGG_SEGMENT_BYTES)
        lengths += bytes((_OGG_SEGMENT_BYTES,)) * whole + bytes((left,))
        data += packet
    pages, position = [], 0
    for start in range(0, len(lengths), _OGG_SEGMENTS):
        table = lengths[start : start + _OGG_SEGMENTS]
        is_continued = start > 0 and lengths[start - 1] == _OGG_SEGMENT_BYTES
        ends = any(length < _OGG_SEGMENT_BYTES for length in table)
        granule = bytes(8) if ends else b"\xff" * 8
        head = b"OggS\0" + bytes((is_continued,)) + granule + serial + bytes(8)
        body = data[position : position + sum(table)]
        pages.append(head + bytes((len(table),)) + bytes(table) + body)
        position += sum(table)
    return pages


def _named(tags: SongTags, column: int) -> dict[str, str]:
    """Return the texts of tags by the names in a column of the table, with the track as 3/12."""
    texts = tags.texts()
    if "track" in texts and "track_total" in texts:
        texts["track"] += f"/{texts['track_total']}"
    named = {_NAMES[name][column]: text for name, text in texts.items()}
    return {name: text for name, text in named.items() if name}


def _vorbis_comments(texts: Mapping[str, str], extra: Mapping[str, str] | None = None) -> bytes:
    named = {_NAMES[name][0]: text for name, text in texts.items()} | dict(extra or {})
    lines = [f"{name}={text}".encode() for name, text in named.items()]
    sized = b"".join(len(line).to_bytes(4, "little") + line for line in lines)
    vendor = len(_VENDOR).to_bytes(4, "little") + _VENDOR
    return vendor + len(lines).to_bytes(4, "little") + sized


def _picture(tags: SongTags) -> bytes:
    """Return the cover as a picture block of FLAC, with unknown width, height and colors."""
    cover, media_type = tags.cover or b"", tags.cover_type.encode()
    return b"".join(
        (
            _FRONT_COVER.to_bytes(4, "big"),
            len(media_type).to_bytes(4, "big") + media_type,
            bytes(4),  # no description
            bytes(16),
            len(cover).to_bytes(4, "big") + cover,
        )
    )


def _picture_text(tags: SongTags) -> str:
    return base64.b64encode(_picture(tags)).decode()


def _id3(tags: SongTags) -> bytes:
    """Return an ID3v2.3 tag, the version that all players read."""
    frames = [
        _id3_frame(name, b"\x01" + _ID3_BEFORE_TEXT.get(name, b"") + _utf16(text))
        for name, text in _named(tags, 1).items()
    ]
    if tags.date is not None:
        year, *day = tags.date.split("-")
        frames = [frame for frame in frames if not frame.startswith(b"TYER")]
        frames.append(_id3_frame("TYER", b"\0" + year.encode()))
        if len(day) == 2:
            frames.append(_id3_frame("TDAT", b"\0" + (day[1] + day[0]).encode()))
    if tags.cover is not None:
        picture = b"\0" + tags.cover_type.encode() + b"\0" + bytes((_FRONT_COVER, 0))
        frames.append(_id3_frame("APIC", picture + tags.cover))
    body = b"".join(frames)
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + body


def _utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def _id3_frame(name: str, data: bytes) -> bytes:
    return name.encode() + len(data).to_bytes(4, "big") + bytes(2) + data


def _replace_start(file: BinaryIO, old_bytes: int, new: bytes) -> None:
    """Replace the first bytes of a file by at least as many, moving the rest block by block."""
    grown = len(new) - old_bytes
    assert grown >= 0, "headers with tags are longer"  # noqa: S101
    position = file.seek(0, os.SEEK_END)
    while position > old_bytes:
        start = max(old_bytes, position - _BLOCK_BYTES)
        file.seek(start)
        block = file.read(position - start)
        file.seek(start + grown)
        file.write(block)
        position = start
    file.seek(0)
    file.write(new)


_WRITERS: Mapping[FormatName, Callable[[BinaryIO, SongTags], None]] = {
    "flac": _write_flac,
    "wav": _write_wav,
    "ogg": _write_ogg,
    "mp3": _write_mp3,
}
