"""Files of every format with every defect, made by encoders and by changes of bytes."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import lameenc
import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 1.5
_JUNK = np.random.default_rng(7).integers(1, 255, 3_001, dtype=np.uint8).tobytes()
"""Unknown bytes, without the 0xFF that starts frames by accident."""


def sweep(sample_rate: int, channels: int, *, seed: int = 0) -> np.ndarray:
    """Return a rising tone with noise, which fits itself at one offset only."""
    times = np.arange(round(SECONDS * sample_rate)) / sample_rate
    noise = np.random.default_rng(seed).standard_normal((len(times), channels))
    tones = [
        0.4 * np.sin(2 * np.pi * (200 + 40 * k + 90 * (seed + 1) * times) * times)
        for k in range(channels)
    ]
    return (np.stack(tones, 1) + 0.02 * noise).astype(np.float32)


def encoded(container: str, subtype: str, sample_rate: int, channels: int, seed: int) -> bytes:
    """Return a file of libsndfile."""
    file = io.BytesIO()
    form = {"format": container, "subtype": subtype}
    with soundfile.SoundFile(file, "w", sample_rate, channels, **form) as target:
        for block in np.array_split(sweep(sample_rate, channels, seed=seed), 4):
            target.write(block)
    return file.getvalue()


def lame(
    sample_rate: int, channels: int, seed: int, *, kbps: int = 128, vbr: bool = False
) -> bytes:
    """Return an MP3 without a tag."""
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(channels)
    encoder.set_in_sample_rate(sample_rate)
    encoder.set_out_sample_rate(sample_rate)
    if vbr:
        encoder.set_vbr(lameenc.VBR_MTRH)
        encoder.set_vbr_quality(3)
    else:
        encoder.set_bit_rate(kbps)
    pcm = (sweep(sample_rate, channels, seed=seed) * 32767).astype("<i2")
    return bytes(encoder.encode(pcm.tobytes())) + bytes(encoder.flush())


Make = "Callable[[int, int, int], bytes]"
"""Called with sample rate, channels and seed."""


def _sndfile(container: str, subtype: str) -> Callable[[int, int, int], bytes]:
    return lambda rate, channels, seed: encoded(container, subtype, rate, channels, seed)


FORMATS: dict[str, tuple[Callable[[int, int, int], bytes], int, int]] = {
    "mp3": (lame, 44_100, 2),
    "mono.mp3": (lame, 44_100, 1),
    "320.mp3": (lambda *form: lame(*form, kbps=320), 44_100, 2),
    "vbr.mp3": (lambda *form: lame(*form, vbr=True), 44_100, 2),
    "tagged.mp3": (_sndfile("MP3", "MPEG_LAYER_III"), 44_100, 2),
    "22k.mp3": (lambda *form: lame(*form, kbps=64), 22_050, 2),
    "8k.mp3": (lambda *form: lame(*form, kbps=64), 8_000, 1),
    "flac": (_sndfile("FLAC", "PCM_16"), 44_100, 2),
    "24.flac": (_sndfile("FLAC", "PCM_24"), 48_000, 1),
    "ogg": (_sndfile("OGG", "VORBIS"), 44_100, 2),
    "mono.ogg": (_sndfile("OGG", "VORBIS"), 22_050, 1),
    "opus": (_sndfile("OGG", "OPUS"), 48_000, 2),
    "wav": (_sndfile("WAV", "PCM_16"), 44_100, 2),
    "24.wav": (_sndfile("WAV", "PCM_24"), 44_100, 1),
    "float.wav": (_sndfile("WAV", "FLOAT"), 48_000, 2),
    "u8.wav": (_sndfile("WAV", "PCM_U8"), 22_050, 1),
    "wavex.wav": (_sndfile("WAVEX", "PCM_24"), 44_100, 2),
    "rf64": (_sndfile("RF64", "PCM_16"), 44_100, 2),
    "aiff": (_sndfile("AIFF", "PCM_16"), 44_100, 2),
    "24.aiff": (_sndfile("AIFF", "PCM_24"), 48_000, 2),
    "caf": (_sndfile("CAF", "PCM_16"), 44_100, 2),
    "au": (_sndfile("AU", "PCM_16"), 44_100, 2),
}
"""Maker, sample rate and channels by name."""


def defects(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name of each defect and the file with it."""
    make, rate, channels = FORMATS[name]
    data = make(rate, channels, 0)
    half = len(data) // 2
    other_rate = 48_000 if rate == 44_100 else 44_100
    yield "clean", data
    yield "joined", data + make(rate, channels, 1)
    yield "joined, with tags", _id3v2(300) + data + _id3v1() + _id3v2(500) + make(rate, channels, 1)
    yield "joined, other channels", data + make(rate, 3 - channels, 1)
    if name != "opus":
        yield "joined, other rate", data + make(other_rate, channels, 1)
    yield "start cut", data[len(data) // 3 :]
    yield "end cut", data[: int(0.6 * len(data))]
    yield "last bytes cut", data[:-40]
    yield "hole of zeros", data[:half] + bytes(3_001) + data[half + 3_001 :]
    yield "hole of junk", data[:half] + _JUNK + data[half + 3_001 :]
    yield "bytes missing", data[:half] + data[half + 3_001 :]
    yield "junk inserted", data[:half] + _JUNK[:500] + data[half:]
    yield "junk before", _JUNK + data
    yield "zeros before", bytes(2_000) + data
    yield "junk behind", data + _JUNK
    yield "zeros behind", data + bytes(5_000)
    yield "ID3v1 behind", data + _id3v1()
    yield "APE tag behind", data + b"APETAGEX" + _JUNK[:1_000]
    yield "ID3v2 before", _id3v2(900) + data
    yield from _wrong_counts(name, data)
    if name.endswith("flac"):
        yield from _without_header(data)


def _id3v2(size: int) -> bytes:
    return b"ID3\4\0\0" + bytes([0, 0, size >> 7, size & 0x7F]) + bytes(size)


def _id3v1() -> bytes:
    return b"TAG" + b"song".ljust(125, b"\0")


def _without_header(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield files that lost the header of their stream, whose first frame has the number 0."""
    frame = data.index(b"\xff\xf8", 42)
    third = data[len(data) // 3 :]
    yield "header lost", data[frame:]
    yield "magic lost", data[4:]
    yield "header lost, zeros before", bytes(2_000) + data[frame:]
    yield "header lost, ID3v2 before", _id3v2(900) + data[frame:]
    yield "start cut, zeros before", bytes(70_000) + third
    yield "start cut, junk before", 30 * _JUNK + third
    yield "junk before, long", 30 * _JUNK + data
    yield "start and last bytes cut", third[:-40]
    yield "joined, start cut", third + data


def _wrong_counts(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield files whose headers declare a length that is not theirs."""
    if name == "tagged.mp3":
        at = data.index(b"Xing") + 8
        for word, factor in (("more", 2.0), ("fewer", 0.5)):
            count = int(int.from_bytes(data[at : at + 4], "big") * factor)
            yield f"declares {word}", data[:at] + count.to_bytes(4, "big") + data[at + 4 :]
    elif name.endswith("flac"):
        count = int.from_bytes(data[22:26], "big")
        for word, changed in (("none", 0), ("more", 2 * count), ("fewer", count // 2)):
            yield f"declares {word}", data[:22] + changed.to_bytes(4, "big") + data[26:]
    elif name.endswith("wav"):
        at = data.index(b"data") + 4
        (count,) = struct.unpack_from("<I", data, at)
        for word, changed in (("none", 0), ("unknown", 0xFFFFFFFF), ("more", 2 * count)):
            yield f"declares {word}", data[:at] + struct.pack("<I", changed) + data[at + 4 :]
