"""FLAC files, and a naive index of their frames."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

STREAM_INFO_BYTES = 34


def noise(samples: int, channels: int = 2, seed: int = 0, level: float = 0.2) -> Samples:
    """Return noise, in which no two places are alike; shape `(samples, channels)`."""
    generator = np.random.default_rng(seed)
    return np.float32(level) * generator.uniform(-1, 1, (samples, channels)).astype(np.float32)


def tone(samples: int, frequency_hz: float, rate: int, level: float = 0.2) -> Samples:
    """Return a sine of one channel; shape `(samples, 1)`."""
    phase = 2 * np.pi * frequency_hz / rate * np.arange(samples)
    return np.float32(level) * np.sin(phase).astype(np.float32)[:, None]


def write(path: Path, audio: Samples, rate: int = 44_100, subtype: str = "PCM_16") -> Samples:
    """Write a FLAC file and its index, and return the samples as the file has them."""
    soundfile.write(path, audio, rate, subtype, format="FLAC")
    path.with_suffix(".json").write_text(json.dumps(index(path.read_bytes())))
    stored, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(stored)


def index(flac: bytes) -> dict[str, object]:
    """Return the frame index of a FLAC file of constant block size, by a scan for frame headers."""
    position, last, info = 4, False, b""
    while not last:
        kind, size = flac[position], int.from_bytes(flac[position + 1 : position + 4])
        if kind & 0x7F == 0:
            info = flac[position + 4 : position + 4 + size]
        position, last = position + 4 + size, bool(kind & 0x80)
    packed = int.from_bytes(info[10:18])
    samples, block = packed & (2**36 - 1), int.from_bytes(info[2:4])
    offsets: list[int] = []
    while len(offsets) < -(-samples // block):
        position = flac.index(b"\xff\xf8", position)
        if _is_header(flac[position : position + 16], len(offsets)):
            offsets.append(position)
        position += 2
    return {
        "sample_rate_hz": packed >> 44,
        "channels": (packed >> 41 & 7) + 1,
        "bits": (packed >> 36 & 31) + 1,
        "samples": samples,
        "frame_samples": block,
        "stream_info": base64.b64encode(info).decode(),
        "offsets": [*offsets, len(flac)],
    }


def _is_header(start: bytes, number: int) -> bool:
    """Whether bytes are the header of the frame with this number, by its checksum."""
    coded = chr(number).encode("utf-8", "surrogatepass")
    size_code, rate_code = start[2] >> 4, start[2] & 15
    extra = {6: 1, 7: 2}.get(size_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    length = 4 + len(coded) + extra
    return start[4:].startswith(coded) and _crc8(start[:length]) == start[length]


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc
