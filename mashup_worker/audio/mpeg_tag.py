"""Tag frames of MPEG audio: counts, and the silence that encoders add at both ends.

Sources: the LAME project's "Mp3 Info Tag rev 1"; Fraunhofer's VBRI header as ffmpeg's
`libavformat/mp3dec.c` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.audio.mpeg import HEADER_BYTES, parse_header

if TYPE_CHECKING:
    from mashup_worker.audio.mpeg import FrameHeader

LAME_ENCODER_DELAY = 576
"""Samples of silence that LAME inserts before the audio."""

_DECODER_DELAY = 529
"""Samples by which decoding delays the audio."""

_VBRI_AT = HEADER_BYTES + 32
_ENCODERS = (b"LAME", b"Lavf", b"Lavc")
"""Encoders that store the silence at both ends."""


@dataclass(frozen=True)
class StreamTag:
    """Contents of a tag frame.

    Attributes:
        frames: frames of audio; 0 if unknown.
        audio_bytes: size of the frames with the tag; 0 if unknown.
        delay_samples: silence of the encoder before the audio; None if unknown.
        padding_samples: silence of the encoder after the audio.
    """

    frames: int
    audio_bytes: int
    delay_samples: int | None = None
    padding_samples: int = 0

    @property
    def skipped_samples(self) -> int:
        """Samples at the start of the decoded stream that precede the audio."""
        return 0 if self.delay_samples is None else self.delay_samples + _DECODER_DELAY

    def padding(self, frame_samples: int) -> range:
        """Return the decoded samples that are padding behind the audio."""
        end = self.frames * frame_samples
        if self.delay_samples is None or not self.frames:
            return range(end, end)
        return range(max(0, min(end, end - self.padding_samples + _DECODER_DELAY)), end)

    def length_samples(self, frame_samples: int) -> int:
        """Return the length of the audio."""
        return max(0, self.padding(frame_samples).start - self.skipped_samples)


def parse_tag(frame: bytes, header: FrameHeader) -> StreamTag | None:
    """Parse a frame as a tag of Xing, LAME or Fraunhofer; return None if it is not one."""
    tag = frame[HEADER_BYTES + header.side_info_bytes :]
    if tag[:4] not in (b"Xing", b"Info"):
        vbri = frame[_VBRI_AT : _VBRI_AT + 18]
        if vbri[:6] != b"VBRI\0\1":
            return None
        return StreamTag(int.from_bytes(vbri[14:18], "big"), int.from_bytes(vbri[10:14], "big"))
    flags, at, counts = int.from_bytes(tag[4:8], "big"), 8, [0, 0]
    for bit in (0, 1):
        if flags >> bit & 1:
            counts[bit] = int.from_bytes(tag[at : at + 4], "big")
            at += 4
    if not any(counts):
        return None
    at += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    delays = tag[at + 21 : at + 24]
    if tag[at : at + 4] not in _ENCODERS or len(delays) < 3:
        return StreamTag(counts[0], counts[1])
    both = int.from_bytes(delays, "big")
    return StreamTag(
        frames=counts[0],
        audio_bytes=counts[1],
        delay_samples=both >> 12,
        padding_samples=both & 0xFFF,
    )


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
