"""Headers and side information of MPEG audio frames.

Sources: ISO/IEC 11172-3 and 13818-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

_MPEG1, _MPEG25 = 3, 0
LAYER_3, _LAYER2, _LAYER1 = 1, 2, 3

_RATES_HZ = {0: (11025, 12000, 8000), 2: (22050, 24000, 16000), 3: (44100, 48000, 32000)}

_BITRATES_KBPS = {
    (True, _LAYER1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, _LAYER2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, LAYER_3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, _LAYER1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, _LAYER2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, LAYER_3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}

HEADER_BYTES = 4

_CRC_BYTES = 2
_LARGEST_BIG_VALUES = 288
_GRANULE_CHANNEL_BITS = {True: 59, False: 63}
"""Size of the side information of a granule in a channel, by whether the version is 1."""


@dataclass(frozen=True, kw_only=True)
class FrameHeader:
    """Header of a frame.

    Attributes:
        family: version, layer and sample rate in Hz.
        channels: 1 or 2.
        length_bytes: size of the frame with its header.
        length_samples: samples per channel in the frame.
        side_info_bytes: size of the side information, which a tag frame leaves empty.
        main_data_at: offset of the data that follows the side information.
    """

    family: tuple[int, int, int]
    channels: int
    length_bytes: int
    length_samples: int
    side_info_bytes: int
    main_data_at: int

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self.family[2]

    def continues(self, other: FrameHeader) -> bool:
        """Return whether the frame has the rate, layer and channels of another one."""
        return self.family == other.family and self.channels == other.channels


@lru_cache(maxsize=4096)
def parse_header(head: bytes) -> FrameHeader | None:
    """Parse 4 bytes as a frame header; return None if they are not one.

    Frames of free format are rejected, because their header does not contain their length.
    """
    if len(head) < HEADER_BYTES or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate_index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or rate_index == 3 or bitrate_index in (0, 15):
        return None
    if version == _MPEG25 and layer != LAYER_3:
        return None
    mpeg1, channels = version == _MPEG1, 1 if head[3] >> 6 == 3 else 2
    sample_rate = _RATES_HZ[version][rate_index]
    bitrate = 1000 * _BITRATES_KBPS[mpeg1, layer][bitrate_index - 1]
    padding = head[2] >> 1 & 1
    if layer == _LAYER1:
        samples, length = 384, (12 * bitrate // sample_rate + padding) * 4
    else:
        samples = 1152 if mpeg1 or layer == _LAYER2 else 576
        length = samples // 8 * bitrate // sample_rate + padding
    side_info = (17 if channels == 1 else 32) if mpeg1 else (9 if channels == 1 else 17)
    main_data_at = HEADER_BYTES + (0 if head[1] & 1 else _CRC_BYTES) + side_info
    family = version, layer, sample_rate
    return FrameHeader(
        family=family,
        channels=channels,
        length_bytes=length,
        length_samples=samples,
        side_info_bytes=side_info,
        main_data_at=main_data_at,
    )


class MainData(NamedTuple):
    """Position of the data that decodes a frame of layer III.

    The data ends inside the frame and may start in the main data of earlier frames, which is
    called the bit reservoir.

    Attributes:
        reservoir_bytes: bytes of earlier frames that are needed.
        end: offset in the frame at which the data ends; smaller than `main_data_at` if all of it
            lies before.
        is_valid: whether the side information is possible.
    """

    reservoir_bytes: int
    end: int
    is_valid: bool


@cache
def _side_info_shifts(family: tuple[int, int, int], channels: int) -> tuple[int, ...]:
    """Return the positions of `part2_3_length` and `big_values` of each granule and channel."""
    mpeg1 = family[0] == _MPEG1
    size = _GRANULE_CHANNEL_BITS[mpeg1]
    return tuple(size * number - 21 for number in range(1, channels * (2 if mpeg1 else 1) + 1))


def main_data(frame: bytes, header: FrameHeader) -> MainData:
    """Return the position of the data that a frame of layer III needs."""
    start, size = header.main_data_at, header.side_info_bytes
    side = int.from_bytes(frame[start - size : start], "big")
    reservoir_bytes = side >> 8 * size - (9 if header.family[0] == _MPEG1 else 8)
    length_bits, is_valid = 0, True
    for shift in _side_info_shifts(header.family, header.channels):
        part = side >> shift
        length_bits += part >> 9 & 0xFFF
        if part & 0x1FF > _LARGEST_BIG_VALUES:
            is_valid = False
    end = start - reservoir_bytes + (length_bits + 7) // 8
    return MainData(reservoir_bytes, end, is_valid and end <= header.length_bytes)


def muted(frame: bytes, header: FrameHeader, reservoir_bytes: int = 0) -> bytes:
    """Return a frame that decodes to silence; later frames find its main data in the reservoir.

    mpg123 keeps as much of the reservoir as a frame asks for, so the frame asks for all of it.
    """
    head = bytes([frame[0], frame[1] | 1, *frame[2:HEADER_BYTES]])
    if header.family[1] != LAYER_3:
        return head + bytes(header.length_bytes - HEADER_BYTES)
    mpeg1 = header.family[0] == _MPEG1
    most, bits = (511, 9) if mpeg1 else (255, 8)
    begin = (min(reservoir_bytes, most) << 16 - bits).to_bytes(2, "big")
    rest = bytes(header.main_data_at - HEADER_BYTES - len(begin))
    return head + begin + rest + frame[header.main_data_at :]
