"""Positions of the frames in a FLAC file, so that players fetch and decode any part of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.audio.flac_frames import LONGEST_HEADER_BYTES, FrameHeader, frame_header
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC = b"fLaC"
_BLOCK_HEADER_BYTES, _STREAM_INFO_BYTES = 4, 34
_MAX_METADATA_BYTES, _MAX_METADATA_BLOCKS = 1 << 26, 1_000
_SYNC = b"\xff\xf8"
"""Start of a frame of a stream whose blocks are fixed."""

_READ_BYTES = 1 << 18
_WINDOW_BYTES, _LONGEST_FRAME_BYTES = 1 << 22, 1 << 23
"""Bytes that are searched at once, and size of a frame from which a file counts as damaged."""

_MAX_SYNCS, _MAX_FALSE_STARTS = 500_000, 32
"""Patterns that are examined, and those that look like the next frame but are none."""

_GENERATOR = 0x8005


@dataclass(frozen=True, kw_only=True)
class FrameIndex:
    """Positions of the frames of a FLAC file.

    `fLaC`, the bytes 80 00 00 22, `stream_info` and any frames in sequence are a file again, if
    number of samples and digest in `stream_info` are set to 0.

    Attributes:
        frame_samples: samples of each frame but the last, which may have fewer.
        stream_info: STREAMINFO of the file, 34 bytes.
        offsets: position of each frame in bytes, and size of the file.
    """

    sample_rate_hz: int
    channels: int
    bits: int
    samples: int
    frame_samples: int
    stream_info: bytes
    offsets: tuple[int, ...]

    def as_json(self) -> bytes:
        """Return the index as a document, in which `stream_info` is coded in base64."""
        document = {**vars(self), "stream_info": base64.b64encode(self.stream_info).decode()}
        return json.dumps(document, separators=(",", ":")).encode()


def index_file(path: Path) -> FrameIndex:
    """Return the frame index of a file; see `index_frames`."""
    with path.open("rb") as file:
        return index_frames(iter(lambda: file.read(_READ_BYTES), b""))


def index_frames(blocks: Iterable[bytes]) -> FrameIndex:
    """Return the frame index of a FLAC file, which is read once in blocks of any size.

    A frame starts where its number, its form, the CRC of its header and the CRC of the frame
    before it are right, so that equal bytes within a frame do not count. Memory is bounded.

    Args:
        blocks: bytes of the file.

    Raises:
        InvalidInput: the bytes are no FLAC file, are damaged or cut off, have something behind the
            last frame, or have frames of variable length.
    """
    data = _Bytes(iter(blocks))
    info = _stream_info(data)
    facts = int.from_bytes(info[10:18], "big")
    sample_rate, channels, bits = facts >> 44, (facts >> 41 & 7) + 1, (facts >> 36 & 31) + 1
    frame_samples, stated = int.from_bytes(info[2:4], "big"), facts & (1 << 36) - 1
    scan = _Scan((sample_rate, channels, bits), frame_samples)
    offsets = tuple(scan.positions(data))
    samples = max(0, scan.found - 1) * frame_samples + scan.last_samples
    if stated not in (0, samples):
        raise _damaged(f"{samples} samples in its frames, {stated} by its header")
    return FrameIndex(
        sample_rate_hz=sample_rate,
        channels=channels,
        bits=bits,
        samples=samples,
        frame_samples=frame_samples,
        stream_info=info,
        offsets=offsets,
    )


def crc16s(data: bytes, borders: Sequence[int]) -> NDArray[np.uint16]:
    """Return the CRC-16 of FLAC of the parts between borders; that of a whole frame is 0.

    The CRC is the remainder of the part, as a polynomial over GF(2), divided by x^16 + x^15 + x^2
    + 1. Halves are reduced side by side: the remainder of `a` followed by `b` is that of `a` times
    a power of x, from a table, plus that of `b`. Zeros in front change nothing, so that parts of
    similar length are reduced as the rows of one array.
    """
    source = np.frombuffer(data, np.uint8)
    bounds = np.asarray(borders)
    # Rows of at most twice the length of their parts.
    widths = 1 << np.ceil(np.log2(np.maximum(np.diff(bounds), 2))).astype(int)
    found = np.zeros(len(widths), np.uint16)
    for width in np.unique(widths):
        members = np.flatnonzero(widths == width)
        longest = int(np.diff(bounds)[members].max())
        rows = np.zeros((len(members), longest + longest % 2), np.uint8)
        for row, part in zip(rows, members, strict=True):
            start, stop = bounds[part], bounds[part + 1]
            row[len(row) - (stop - start) :] = source[start:stop]
        found[members] = _remainders(rows.view(">u2").astype(np.uint16))
    return found


def _remainders(words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    level = 0
    while words.shape[1] > 1:
        if words.shape[1] % 2:
            words = np.pad(words, ((0, 0), (1, 0)))
        words = _times_power(level)[words[:, ::2]] ^ words[:, 1::2]
        level += 1
    return words[:, 0]


@cache
def _times_power(level: int) -> NDArray[np.uint16]:
    """Return the product of each polynomial with x^(16 * 2^level), as a table."""
    if level:
        half = _times_power(level - 1)
        return half[half]
    table, power = np.zeros(1, np.uint16), _GENERATOR
    for _ in range(16):  # power is x^(16 + bit)
        table = np.concatenate([table, table ^ np.uint16(power)])
        power = (power << 1 ^ (_GENERATOR if power & 0x8000 else 0)) & 0xFFFF
    return table


class _Bytes:
    """Part of a file that is read once: `buffer` from position `start` on."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.buffer, self.start = b"", 0

    def fill(self, count: int) -> bool:
        """Read until the buffer has at least `count` bytes; return whether it has them."""
        parts, size = [self.buffer], len(self.buffer)
        while size < count and (block := next(self._blocks, b"")):
            parts.append(block)
            size += len(block)
        self.buffer = b"".join(parts)
        return size >= count

    def take(self, count: int) -> bytes:
        """Return and drop the first bytes.

        Raises:
            InvalidInput: the file has fewer.
        """
        if not self.fill(count):
            raise _damaged("cut off")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        self.start += count
        return taken


def _stream_info(data: _Bytes) -> bytes:
    """Return STREAMINFO and drop all metadata.

    Raises:
        InvalidInput: the file is no FLAC file.
    """
    if not data.fill(len(_MAGIC)) or data.take(len(_MAGIC)) != _MAGIC:
        raise InvalidInput("FLAC: the file does not start with a stream")
    info, is_last, count = None, False, 0
    while not is_last:
        header, count = data.take(_BLOCK_HEADER_BYTES), count + 1
        is_last, size = bool(header[0] & 0x80), int.from_bytes(header[1:], "big")
        content = data.take(size)
        info = content if info is None else info
        is_bounded = data.start <= _MAX_METADATA_BYTES and count <= _MAX_METADATA_BLOCKS
        if len(info) != _STREAM_INFO_BYTES or not is_bounded:
            raise _damaged("its metadata is invalid")
    assert info is not None  # noqa: S101 - the loop ran
    return info


class _Scan:
    """Search for the frames of a stream, window by window.

    Attributes:
        found: number of whole frames found.
        last_samples: samples of the last one.
    """

    def __init__(self, form: tuple[int, int, int], frame_samples: int) -> None:
        self._form, self._frame_samples = form, frame_samples
        self._first_number: int | None = None
        self._syncs = self._false_starts = 0
        self.found = self.last_samples = 0

    def positions(self, data: _Bytes) -> Iterator[int]:
        """Yield the position of each frame, and the end of the file."""
        wanted, is_end = _WINDOW_BYTES, False
        while not is_end:
            is_end = not data.fill(wanted)
            borders = self._borders(data.buffer, is_end=is_end) if data.buffer else [0]
            yield from (data.start + border for border in borders[:-1])
            if len(borders) > 1 or is_end:
                wanted = _WINDOW_BYTES
            elif wanted < _LONGEST_FRAME_BYTES:
                wanted = _LONGEST_FRAME_BYTES
            else:
                raise _damaged(f"no frame behind byte {data.start}")
            data.take(borders[-1])
        yield data.start

    def _borders(self, window: bytes, *, is_end: bool) -> list[int]:
        """Return the starts of the frames in a window that starts with one, and their end."""
        candidates = list(self._candidates(window))
        while True:
            frames = self._in_sequence(candidates)
            if not frames or frames[0][0]:
                raise _damaged(f"no frame {self.found} where the one before it ends")
            borders = [start for start, _ in frames] + [len(window)] * is_end
            wrong = np.flatnonzero(crc16s(window, borders))
            if not len(wrong):
                break
            self._false_starts += 1
            if wrong[0] + 1 == len(frames) or self._false_starts > _MAX_FALSE_STARTS:
                raise _damaged(f"frame {self.found + wrong[0]} has no end")
            candidates.remove(frames[wrong[0] + 1])
        whole = [header.samples for _, header in frames[: len(borders) - 1]]
        self.found += len(whole)
        self.last_samples = whole[-1] if whole else self.last_samples
        if any(one != self._frame_samples for one in whole[: -1 if is_end else None]):
            raise _damaged("its frames differ in length")
        return borders

    def _candidates(self, window: bytes) -> Iterator[tuple[int, FrameHeader]]:
        """Yield positions and headers of the frames that may start in a window."""
        at = window.find(_SYNC)
        while at >= 0:
            self._syncs += 1
            if self._syncs > _MAX_SYNCS:
                raise _damaged(f"{_MAX_SYNCS} starts of frames")
            header = frame_header(window[at : at + LONGEST_HEADER_BYTES])
            if header is not None:
                rate, _, bits = self._form
                form = (header.sample_rate or rate, header.channels, header.bits or bits)
                if form == self._form and header.samples <= self._frame_samples:
                    yield at, header
            at = window.find(_SYNC, at + 1)

    def _in_sequence(
        self, candidates: Sequence[tuple[int, FrameHeader]]
    ) -> list[tuple[int, FrameHeader]]:
        """Return the candidates that have the next numbers."""
        if self._first_number is None and candidates:
            self._first_number = candidates[0][1].number
        frames: list[tuple[int, FrameHeader]] = []
        expected = (self._first_number or 0) + self.found
        for candidate in candidates:
            if candidate[1].number == expected + len(frames):
                frames.append(candidate)
        return frames


def _damaged(reason: str) -> InvalidInput:
    return InvalidInput(f"FLAC: damaged, or of variable frames: {reason}")
