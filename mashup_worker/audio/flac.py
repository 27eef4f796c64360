"""Streams and frames of FLAC without a header in front of them.

Source: RFC 9639.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.audio.flac_frames import LONGEST_HEADER_BYTES, frame_header

if TYPE_CHECKING:
    from mashup_worker.audio.descriptors import BufferedReader

_STREAM = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""Start of a stream, with the header of its first block."""

_SYNC = re.compile(rb"\xff[\xf8\xf9][^\x00-\x0f\xf0-\xff][\x00-\xaf]")
_SEARCH_BYTES = 1 << 16
_OVERLAP_BYTES = 64
_NEAR_BLOCKS = 4_096
_SEARCHED_FOR_FRAMES_BYTES = 1 << 24
"""Largest block of metadata, such as a cover, in front of the first frame."""

_LONGEST_FRAME_BYTES = 1 << 18
_MAX_SYNCS, _MAX_CANDIDATES = 100_000, 8
"""Patterns and headers of frames that are examined, so that a hostile file costs a second."""

_FORM_AT = 18
_MASK_TAG = re.compile(rb"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0[xX]([0-9a-fA-F]{1,8})")


def next_stream(reader: BufferedReader, start: int, stop: int) -> int | None:
    """Return the position of the first stream that starts between two bytes."""
    for position in range(start, stop, _SEARCH_BYTES):
        window = reader.read(position, _SEARCH_BYTES + _OVERLAP_BYTES)
        found = _STREAM.search(window)
        if found and position + found.start() < stop:
            return position + found.start()
    return None


@dataclass(frozen=True)
class LostStart:
    """First complete frame of a stream that lacks its header.

    Attributes:
        start: its position.
        header: header of a stream of its form and of unknown length.
    """

    start: int
    header: bytes


def first_frame(reader: BufferedReader, start: int) -> LostStart | None:
    """Return the first complete frame behind a position, as ffmpeg finds it.

    Both checksums of the frame must be right, and the end of the file or a frame of the same form
    must follow. Frames that leave their form to the header of the stream cannot be decoded.
    """
    syncs, candidates = 0, 0
    stop = min(reader.size, start + _SEARCHED_FOR_FRAMES_BYTES)
    for position in range(start, stop, _SEARCH_BYTES):
        window = reader.read(position, _SEARCH_BYTES + _OVERLAP_BYTES)
        for sync in _SYNC.finditer(window):
            at, syncs = position + sync.start(), syncs + 1
            header = _stream_header(window[sync.start() :])
            if header is None or sync.start() >= _SEARCH_BYTES:
                continue
            if _is_whole(reader.read(at, _LONGEST_FRAME_BYTES), header):
                return LostStart(at, header)
            candidates += 1
            if candidates == _MAX_CANDIDATES:
                return None
        if syncs > _MAX_SYNCS:
            return None
    return None


def _is_whole(data: bytes, header: bytes) -> bool:
    """Return whether a frame of a stream is followed by another one, or by the end of the file."""
    ends = [
        sync.start()
        for sync in _SYNC.finditer(data, 1)
        if _form(_stream_header(data[sync.start() :])) == _form(header)
    ]
    if len(data) < _LONGEST_FRAME_BYTES:
        ends.append(len(data))
    crc = position = 0
    for end in ends:
        for byte in data[position:end]:
            crc = (crc << 8 ^ _CRC16[crc >> 8 ^ byte]) & 0xFFFF
        position = end
        if not crc:  # that of a frame with its checksum
            return True
    return False


def _form(header: bytes | None) -> bytes | None:
    """Return sample rate, channel count and sample size in the header of a stream."""
    return None if header is None else header[_FORM_AT:]


def _stream_header(data: bytes) -> bytes | None:
    """Return the header for a stream of frames like the first of the data.

    None if the data does not start with a frame, or if the frame does not state its form.
    """
    frame = frame_header(data)
    if frame is None or not frame.sample_rate or not frame.bits:
        return None
    shortest, longest = (frame.samples, frame.samples) if frame.is_fixed else (16, 65_535)
    return b"".join(
        (
            b"fLaC\x80\0\0\x22",
            shortest.to_bytes(2, "big"),
            longest.to_bytes(2, "big"),
            bytes(6),  # unknown sizes of frames
            (frame.sample_rate << 44 | frame.channels - 1 << 41 | frame.bits - 1 << 36).to_bytes(
                8, "big"
            ),
            bytes(16),  # no digest
        )
    )


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
            frame = frame_header(window[sync.start() : sync.start() + LONGEST_HEADER_BYTES])
            if frame is None:
                continue
            sample = frame.number * block_samples if frame.is_fixed else frame.number
            is_next = 0 <= sample - length_samples < _NEAR_BLOCKS * block_samples
            if is_next and position + sync.start() < searched.stop:
                return True
    return False


def _crc16_of(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = (crc << 1 ^ (0x8005 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


_CRC16 = tuple(map(_crc16_of, range(256)))
