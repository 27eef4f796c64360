"""Chunks of WAV files, whose sizes are often wrong.

Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.audio.descriptors import BufferedReader

_HEADER_BYTES = 12
"""`RIFF`, a size, and `WAVE`."""

_CHUNK_HEADER_BYTES = 8
"""A name of four characters and a size."""

_MAX_CHUNKS = 10_000
_MAX_FORMAT_BYTES = 1 << 16

UNKNOWN_SIZES = (range(0x7FFFF000, 0x80000001), range(0xFFFFF000, 0x100000000))
"""Chunk sizes of programs that could not seek back to write the real size."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SAMPLES = {(_PCM, 16): "<i2", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4", (_FLOAT, 64): "<f8"}

_JUDGED_BYTES = 1 << 20
_NOISE = 1.2
"""Steps from sample to sample over the level, both RMS: 1.41 for compressed data and text."""


@dataclass
class WaveChunks:
    """Positions in a WAV file.

    Attributes:
        format: chunks that describe the audio, with their headers.
        data: ranges of bytes that are audio.
        end: end of the last chunk.
        riff_end: end of the file that its first header declares.
        is_regular: whether libsndfile finds the same audio.
    """

    end: int
    riff_end: int
    format: bytes = b""
    data: list[range] = field(default_factory=list)
    is_regular: bool = True

    def header(self, part: range) -> bytes:
        """Return the bytes before `part` of a WAV file that contains this audio only."""
        size = min(len(part), 0xFFFFFFFF)
        chunks = b"WAVE" + self.format + b"data" + struct.pack("<I", size)
        return b"RIFF" + struct.pack("<I", min(len(chunks) + size, 0xFFFFFFFF)) + chunks


def wave_chunks(reader: BufferedReader, start: int = 0) -> WaveChunks | None:
    """Return the positions in a WAV file that starts at a byte; None if no WAV starts there.

    The byte that pads a chunk of odd size may lack. Audio with a size of 0 reaches to the end.
    """
    head = reader.read(start, _HEADER_BYTES)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    found = WaveChunks(start + _HEADER_BYTES, start + 8 + int.from_bytes(head[4:8], "little"))
    for _ in range(_MAX_CHUNKS):
        if (size := _chunk_size(reader, found.end)) is None:
            break
        name, body = reader.read(found.end, 4), found.end + _CHUNK_HEADER_BYTES
        found.end = min(body + size, reader.size)
        if name == b"data":
            if not size and reader.size > body and _chunk_size(reader, body) is None:
                found.end, found.is_regular = reader.size, False
            if found.end > body:
                found.data.append(range(body, found.end))
        elif name in (b"fmt ", b"fact") and size <= _MAX_FORMAT_BYTES:
            chunk = reader.read(body - _CHUNK_HEADER_BYTES, _CHUNK_HEADER_BYTES + size)
            found.format += chunk + bytes(size % 2)
        if size % 2 and found.end < reader.size:
            if _chunk_size(reader, found.end + 1) is None and _chunk_size(reader, found.end):
                found.is_regular &= bool(found.data)
            else:
                found.end += 1
    found.is_regular &= len(found.data) < 2
    return found


def is_sound(data: bytes, chunks: WaveChunks) -> bool:
    """Return whether bytes behind the chunks of a WAV file continue its audio.

    Music changes less from sample to sample than noise does.
    """
    samples = _samples(data[:_JUDGED_BYTES], chunks.format)
    if samples is None:
        return True
    level = float(samples.std(axis=0).mean())
    return level > 0 and float(np.diff(samples, axis=0).std(axis=0).mean()) < _NOISE * level


def _samples(data: bytes, format_chunks: bytes) -> np.ndarray | None:
    """Return the samples of uncompressed audio, shape `(samples, channels)`."""
    at = format_chunks.find(b"fmt ") + _CHUNK_HEADER_BYTES
    if len(format_chunks) < at + 16:
        return None
    code, channels, _, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", format_chunks, at)
    if code == _EXTENSIBLE and len(format_chunks) >= at + 26:
        code = int.from_bytes(format_chunks[at + 24 : at + 26], "little")
    if not channels or not frame_bytes or len(data) < 4 * frame_bytes:
        return None
    data = data[: len(data) // frame_bytes * frame_bytes]
    if code == _PCM and bits in (8, 24):  # the highest byte decides
        samples = np.frombuffer(data, np.uint8)[bits // 8 - 1 :: bits // 8]
        samples = samples if bits == 8 else samples.view(np.int8)
    elif (code, bits) in _SAMPLES:
        samples = np.frombuffer(data, _SAMPLES[code, bits])
    else:
        return None
    if len(samples) % channels:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        frames = np.nan_to_num(samples.astype(np.float64)).clip(-1e12, 1e12)
    return frames.reshape(-1, channels)


def _chunk_size(reader: BufferedReader, position: int) -> int | None:
    """Return the size of the chunk at a position; None if there is no chunk."""
    header = reader.read(position, _CHUNK_HEADER_BYTES)
    name, size = header[:4], int.from_bytes(header[4:], "little")
    if len(header) < _CHUNK_HEADER_BYTES or not name.isascii() or not name.decode().isprintable():
        return None
    if name == b"RIFF" or (name not in (b"data", b"fmt ") and position + size > reader.size):
        return None
    return size
