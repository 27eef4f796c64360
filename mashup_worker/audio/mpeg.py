"""Frames of MPEG audio, and the tag frame that encoders put first.

libsndfile estimates the length of an MP3 without a Xing tag from its first frames and stops there,
which loses half of a song with variable bitrate. This module finds the frames and passes them to
libsndfile one by one, without the tags and junk between them.

Sources: ISO/IEC 11172-3 and 13818-3 for the header; the LAME project's "Mp3 Info Tag rev 1" for
the tag.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MPEG1, _MPEG25 = 3, 0
_LAYER3, _LAYER2, _LAYER1 = 1, 2, 3

_RATES_HZ = {0: (11025, 12000, 8000), 2: (22050, 24000, 16000), 3: (44100, 48000, 32000)}

_BITRATES_KBPS = {
    (True, _LAYER1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, _LAYER2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, _LAYER3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, _LAYER1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, _LAYER2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, _LAYER3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}

_SEARCH_BYTES = 1 << 16
_GIVE_UP_BYTES = 1 << 20

LAME_ENCODER_DELAY = 576
"""Samples of silence that LAME inserts before the audio."""


@dataclass(frozen=True)
class FrameHeader:
    """Header of a frame.

    Attributes:
        family: version, layer and sample rate, which all frames of a file share.
        length_bytes: size of the frame with its header.
        length_samples: samples per channel in the frame.
        side_info_bytes: bytes between the header and the tag in a tag frame.
    """

    family: tuple[int, int, int]
    length_bytes: int
    length_samples: int
    side_info_bytes: int


def parse_header(head: bytes) -> FrameHeader | None:
    """Parse the first 4 bytes as a frame header; return None if they are not one.

    Frames of free format are rejected, because their header does not contain their length.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or rate_index == 3 or bitrate_index in (0, 15):
        return None
    if version == _MPEG25 and layer != _LAYER3:
        return None
    mpeg1, mono = version == _MPEG1, head[3] >> 6 == 3
    sample_rate = _RATES_HZ[version][rate_index]
    bitrate = 1000 * _BITRATES_KBPS[mpeg1, layer][bitrate_index - 1]
    padding = head[2] >> 1 & 1
    if layer == _LAYER1:
        samples, length = 384, (12 * bitrate // sample_rate + padding) * 4
    else:
        samples = 1152 if mpeg1 or layer == _LAYER2 else 576
        length = samples // 8 * bitrate // sample_rate + padding
    side_info = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    return FrameHeader((version, layer, sample_rate), length, samples, side_info)


class FrameReader:
    """Iterator over the frames of an MPEG audio file.

    Attributes:
        ends_inside_frame: whether the last frame is incomplete; valid after the iteration.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self.ends_inside_frame = False

    @property
    def found(self) -> bool:
        """Whether the file is MPEG audio: frames follow its tags, perhaps after some junk."""
        head = os.pread(self._descriptor, 4, 0)
        looks_so = head[:3] == b"ID3" or parse_header(head) is not None
        return looks_so and self._find(self._after_tags(), None)[1] is not None

    def __iter__(self) -> Iterator[bytes]:
        position, header = self._find(self._after_tags(), None)
        while header is not None:
            if position + header.length_bytes > self._size:
                self.ends_inside_frame = True
                return
            yield os.pread(self._descriptor, header.length_bytes, position)
            position += header.length_bytes
            following = parse_header(os.pread(self._descriptor, 4, position))
            if following is None or following.family != header.family:
                position, following = self._find(position, header.family)
            header = following

    def _after_tags(self) -> int:
        position = 0
        while (tag := os.pread(self._descriptor, 10, position))[:3] == b"ID3" and len(tag) == 10:
            footer = 10 if tag[5] & 0x10 else 0
            position += (
                10 + footer + sum((byte & 0x7F) << 7 * i for i, byte in enumerate(tag[:5:-1]))
            )
        return position

    def _find(
        self, start: int, family: tuple[int, int, int] | None
    ) -> tuple[int, FrameHeader | None]:
        """Return the next frame from `start` on that is followed by its family or by the end."""
        for window in range(start, min(self._size, start + _GIVE_UP_BYTES), _SEARCH_BYTES):
            chunk = os.pread(self._descriptor, _SEARCH_BYTES + 3, window)
            offset = chunk.find(b"\xff")
            while 0 <= offset < _SEARCH_BYTES:
                header = parse_header(chunk[offset : offset + 4])
                if header is not None and header.family == (family or header.family):
                    end = window + offset + header.length_bytes
                    following = parse_header(os.pread(self._descriptor, 4, end))
                    if end == self._size or (following and following.family == header.family):
                        return window + offset, header
                offset = chunk.find(b"\xff", offset + 1)
        return self._size, None


def info_frame(first: bytes, *, frames: int, audio_bytes: int, length_samples: int) -> bytes:
    """Build the silent first frame from which decoders learn where the audio begins and ends.

    Args:
        first: first frame of the audio; the tag frame has the same format.
        frames: number of audio frames.
        audio_bytes: size of these frames.
        length_samples: samples per channel that the encoder received.
    """
    # Any bitrate whose frame has room for the tag is valid.
    for bitrate_index in range(1, 15):
        head = bytes([first[0], first[1] | 1, bitrate_index << 4 | first[2] & 0x0C, first[3]])
        header = parse_header(head)
        if header is not None and header.length_bytes >= 4 + header.side_info_bytes + 156:
            break
    else:
        raise ValueError("not a frame of MPEG audio")
    padding = frames * header.length_samples - LAME_ENCODER_DELAY - length_samples
    padding = min(max(padding, 0), 0xFFF)
    frame = bytearray(header.length_bytes)
    frame[:4] = head
    tag = 4 + header.side_info_bytes
    frame[tag : tag + 8] = b"Info" + (0b1111).to_bytes(4, "big")
    frame[tag + 8 : tag + 12] = frames.to_bytes(4, "big")
    frame[tag + 12 : tag + 16] = (audio_bytes + len(frame)).to_bytes(4, "big")
    frame[tag + 16 : tag + 116] = bytes(i * 256 // 100 for i in range(100))
    lame = tag + 120
    frame[lame : lame + 10] = b"LAME3.100\x01"
    frame[lame + 21 : lame + 24] = (LAME_ENCODER_DELAY << 12 | padding).to_bytes(3, "big")
    frame[lame + 28 : lame + 32] = (audio_bytes + len(frame)).to_bytes(4, "big")
    frame[lame + 34 : lame + 36] = _crc16(bytes(frame[: lame + 34])).to_bytes(2, "big")
    return bytes(frame)


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
