"""Tags and padding around audio, which are no audio."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mashup_worker.audio.descriptors import BufferedReader

_ID3_HEADER_BYTES = 10
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")


def starts_with_tag(data: bytes) -> bool:
    """Return whether bytes behind audio are a tag of ID3, APE or Lyrics3."""
    return data.startswith(_TAGS)


def is_padding(data: bytes) -> bool:
    """Return whether bytes are zeros, or none."""
    return not data.strip(b"\0")


def after_id3(reader: BufferedReader) -> int:
    """Return the end of the ID3 tags at the start of a file, by the size that they state."""
    position = 0
    while True:
        tag = reader.read(position, _ID3_HEADER_BYTES)
        if tag[:3] != b"ID3" or len(tag) < _ID3_HEADER_BYTES:
            return position
        footer = _ID3_HEADER_BYTES if tag[5] & 0x10 else 0
        size = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(tag[9:5:-1]))
        position += _ID3_HEADER_BYTES + footer + size
