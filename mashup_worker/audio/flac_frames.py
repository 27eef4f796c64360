"""Headers of FLAC frames.

Source: RFC 9639, section 9.1.
"""

from __future__ import annotations

from typing import NamedTuple

LONGEST_HEADER_BYTES = 16
_FIXED_BLOCKS, _VARIABLE_BLOCKS = 0xF8, 0xF9
_NUMBER_AT = 4
_MAX_SAMPLES = 65_535

_SIZE_BYTES, _RATE_BYTES = {6: 1, 7: 2}, {12: 1, 13: 2, 14: 2}
_RATE_UNITS_HZ = {12: 1_000, 13: 1, 14: 10, 15: 0}
_RATES_HZ = (
    *(0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    96_000,
)
_BLOCK_SAMPLES = {
    1: 192,
    **{code: 576 << code - 2 for code in range(2, 6)},
    **{code: 256 << code - 8 for code in range(8, 16)},
}
_BITS = (0, 8, 12, 0, 16, 20, 24, 32)
_CHANNELS = (*range(1, 9), 2, 2, 2)
"""Meanings of the codes in the header of a frame; 0 refers to the header of the stream."""


class FrameHeader(NamedTuple):
    """Header of a frame.

    Attributes:
        number: number of the frame if blocks are fixed, and of its first sample otherwise.
        is_fixed: whether all frames of the stream but the last have the same number of samples.
        samples: number of samples in each channel.
        sample_rate, bits: 0 if the header of the stream has it.
    """

    number: int
    is_fixed: bool
    samples: int
    sample_rate: int
    channels: int
    bits: int


def frame_header(data: bytes) -> FrameHeader | None:
    """Return the header of the frame at the start of the data; None if none with its CRC is."""
    header = data[:LONGEST_HEADER_BYTES]
    if len(header) <= _NUMBER_AT or header[0] != 0xFF:
        return None
    blocks, size_code, rate_code = header[1], header[2] >> 4, header[2] & 15
    if blocks not in (_FIXED_BLOCKS, _VARIABLE_BLOCKS) or not size_code or rate_code == 15:
        return None
    if header[3] >> 4 >= len(_CHANNELS):
        return None
    # The number is coded as in UTF-8, in up to 7 bytes.
    ones = 8 - (header[_NUMBER_AT] ^ 0xFF).bit_length()
    if ones in (1, 8):
        return None
    number = header[_NUMBER_AT] & 0x7F >> ones
    size_at = _NUMBER_AT + max(1, ones)
    for byte in header[_NUMBER_AT + 1 : size_at]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 0x3F
    rate_at = size_at + _SIZE_BYTES.get(size_code, 0)
    end = rate_at + _RATE_BYTES.get(rate_code, 0)
    if len(header) <= end or _crc8(header[:end]) != header[end]:
        return None
    if rate_code < len(_RATES_HZ):
        rate_hz = _RATES_HZ[rate_code]
    else:
        rate_hz = int.from_bytes(header[rate_at:end], "big") * _RATE_UNITS_HZ[rate_code]
    samples = _BLOCK_SAMPLES.get(size_code) or int.from_bytes(header[size_at:rate_at], "big") + 1
    if samples > _MAX_SAMPLES:
        return None
    return FrameHeader(
        number=number,
        is_fixed=blocks == _FIXED_BLOCKS,
        samples=samples,
        sample_rate=rate_hz,
        channels=_CHANNELS[header[3] >> 4],
        bits=_BITS[header[3] >> 1 & 7],
    )


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _crc8_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1 ^ (0x07 if byte & 0x80 else 0)) & 0xFF
    return byte


_CRC8 = bytes(map(_crc8_of, range(256)))
