"""Streams and frames of FLAC behind the end that a header declares.

Source: RFC 9639.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mashup_worker.audio.descriptors import BufferedReader

_STREAM = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""Start of a stream, with the header of its first block."""

_SYNC = re.compile(rb"\xff[\xf8\xf9][^\x00-\x0f\xf0-\xff][\x00-\xaf]")
_VARIABLE_BLOCKS = 0xF9
_NUMBER_AT = 4
_LONGEST_HEADER_BYTES = 16
_SEARCH_BYTES = 1 << 16
_OVERLAP_BYTES = 64
_NEAR_BLOCKS = 4_096
_MASK_TAG = re.compile(rb"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0[xX]([0-9a-fA-F]{1,8})")


def next_stream(reader: BufferedReader, start: int, stop: int) -> int | None:
    """Return the position of the first stream that starts between two bytes."""
    for position in range(start, stop, _SEARCH_BYTES):
        window = reader.read(position, _SEARCH_BYTES + _OVERLAP_BYTES)
        found = _STREAM.search(window)
        if found and position + found.start() < stop:
            return position + found.start()
    return None


def channel_mask(reader: BufferedReader, start: int) -> int:
    """Return the speaker mask among the tags of a stream; 0 without one."""
    found = _MASK_TAG.search(reader.read(start, _SEARCH_BYTES))
    return int(found[1], 16) if found else 0


def has_frames_behind(
    reader: BufferedReader, stream: int, searched: range, length_samples: int
) -> bool:
    """Return whether frames continue a stream after its declared length.

    Args:
        reader: the file.
        stream: position of the stream.
        searched: positions to search.
        length_samples: length that the stream declares.
    """
    block_samples = int.from_bytes(reader.read(stream + 8, 2), "big")
    for position in searched[::_SEARCH_BYTES]:
        window = reader.read(position, _SEARCH_BYTES + _OVERLAP_BYTES)
        for sync in _SYNC.finditer(window):
            header = window[sync.start() : sync.start() + _LONGEST_HEADER_BYTES]
            number = _frame_number(header)
            if number is None:
                continue
            sample = number if header[1] == _VARIABLE_BLOCKS else number * block_samples
            is_next = 0 <= sample - length_samples < _NEAR_BLOCKS * block_samples
            if is_next and position + sync.start() < searched.stop:
                return True
    return False


def _frame_number(header: bytes) -> int | None:
    """Return the number in the header of a frame; None if it is not one, by its checksum."""
    first = header[_NUMBER_AT]
    leading_ones = 8 - (first ^ 0xFF).bit_length()
    if leading_ones in (1, 8):
        return None
    size = max(1, leading_ones)
    number = first & 0x7F >> leading_ones
    for byte in header[_NUMBER_AT + 1 : _NUMBER_AT + size]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 0x3F
    extra = {6: 1, 7: 2}.get(header[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    end = _NUMBER_AT + size + extra
    if len(header) <= end or _crc8(header[:end]) != header[end]:
        return None
    return number


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc
