"""Untrusted files: valid ones of every format, random changes of them, impostors and bombs."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from tests.unit.audio_fixtures import ffmpeg, ffmpeg_found, mp3, music, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "ulaw.wav": ("WAV", "ULAW"),
    "wavex.wav": ("WAVEX", "PCM_24"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "alac.caf": ("CAF", "ALAC_16"),
    "au": ("AU", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "lame.mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Formats that libsndfile writes, by its names of container and coding."""

FFMPEG = {
    "m4a": ("-c:a", "aac"),
    "webm": ("-c:a", "libopus"),
    "mka": ("-c:a", "flac"),
    "wma": ("-c:a", "wmav2", "-f", "asf"),
    "wv": ("-c:a", "wavpack"),
    "ts": ("-c:a", "aac", "-f", "mpegts"),
    "flv": ("-c:a", "aac", "-f", "flv"),
}

_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_BOMB_S = 1_200
_BLOCK_S = 10


@dataclass(frozen=True)
class Hostile:
    """File with a description of its construction."""

    path: Path
    recipe: str


def good_files(folder: Path) -> list[Path]:
    """Write half a second of audio in every format of libsndfile and ffmpeg."""
    made = []
    for suffix, (container, coding) in FORMATS.items():
        sample_rate = 48_000 if coding == "OPUS" else 44_100
        made.append(write(folder / f"good.{suffix}", music(0.5, sample_rate), coding, container))
    made.append(mp3(folder / "good.mp3", music(0.5)))
    made.append(write(folder / "surround.wav", music(0.5, channels=6)))
    made.append(write(folder / "mono.flac", music(0.5, 8_000, 1), "PCM_16", "FLAC"))
    if ffmpeg_found:
        made += [
            ffmpeg(music(0.5), folder / f"good.{suffix}", *how) for suffix, how in FFMPEG.items()
        ]
    return made


def mutated(data: bytes, other: bytes, dice: random.Random) -> tuple[bytes, str]:
    """Return the bytes of a file with one random change, and the name of the change."""
    changed = bytearray(data)
    way = dice.choice(("flip", "header", "cut", "splice", "repeat", "zero", "insert", "swap"))
    if way == "flip":
        for _ in range(dice.randint(1, 60)):
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    elif way == "header":
        for _ in range(dice.randint(1, 4)):
            at, value = dice.randrange(min(120, len(changed) - 4)), dice.choice(_EXTREMES)
            changed[at : at + 4] = struct.pack(dice.choice("<>") + "I", value)
    elif way == "cut":
        del changed[dice.randrange(1, len(changed)) :]
    elif way == "splice":
        at = dice.randrange(len(changed))
        changed[at:] = other[dice.randrange(len(other)) :]
    elif way == "repeat":
        start = dice.randrange(len(changed))
        piece = changed[start : start + dice.randint(1, 4_096)]
        changed[start:start] = piece * dice.randint(2, 200)
    elif way == "zero":
        start = dice.randrange(len(changed))
        changed[start : start + 2_048] = bytes(len(changed[start : start + 2_048]))
    elif way == "insert":
        at = dice.randrange(len(changed))
        changed[at:at] = dice.randbytes(dice.randint(1, 2_048))
    else:
        half = dice.randrange(1, len(changed))
        changed = changed[half:] + changed[:half]
    return bytes(changed), way


def mutants(good: list[Path], folder: Path, each: int, seed: int) -> Iterator[Hostile]:
    """Write several changed versions of each valid file."""
    dice = random.Random(seed)
    contents = [path.read_bytes() for path in good]
    for path, data in zip(good, contents, strict=True):
        for number in range(each):
            changed, way = mutated(data, dice.choice(contents), dice)
            target = folder / f"{number}-{way}-{path.name}"
            target.write_bytes(changed)
            yield Hostile(target, f"{way} of {path.name}, seed {seed}")


def impostors(folder: Path) -> Iterator[Hostile]:
    """Write files without audio, with names of audio files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("song.wav", bytes(10_000_000))
    address = "http://127.0.0.1:9/secret"
    texts = {
        "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
        "m3u": f"{address}\nfile:///etc/passwd\n",
        "pls": f"[playlist]\nFile1={address}\nNumberOfEntries=1\n",
        "xspf": f"<playlist><trackList><track><location>{address}</location></track></trackList>",
        "ffconcat": "ffconcat version 1.0\nfile /etc/passwd\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        "mpd": f"<MPD><Period><BaseURL>{address}</BaseURL></Period></MPD>",
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}"/></svg>',
        "html": "<html><script>alert(1)</script></html>",
        "sh": "#!/bin/sh\nrm -rf /\n",
        "json": '{"audio": "' + "x" * 100_000 + '"}',
        "text": "This is not a song.\n" * 100,
    }
    contents = {name: text.encode() for name, text in texts.items()} | {
        "zip": archive.getvalue(),
        "elf": b"\x7fELF" + bytes(5_000),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(5_000),
        "zeros": bytes(2_000_000),
        "noise": random.Random(1).randbytes(500_000),
        "byte": b"R",
        "nothing": b"",
        "riff": b"RIFF\xff\xff\xff\xffWAVE" * 1_000,
        "form": b"FORM\xff\xff\xff\xffAIFF" * 1_000,
        "ftyp": b"\x00\x00\x00\x18ftypM4A " + bytes(64),
        "moov": struct.pack(">I", 0x7FFFFFFF) + b"moov" + bytes(64),
        "atoms": (struct.pack(">I", 8) + b"free") * 50_000 + b"\x00\x00\x00\x08moov",
        "ebml": b"\x1a\x45\xdf\xa3" + b"\xff" * 5_000,
        "ogg": b"OggS" + b"\xff" * 5_000,
        "flac": b"fLaC" + b"\xff" * 5_000,
        "id3": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(5_000),
    }
    for name, content in contents.items():
        for suffix in ("wav", "mp3"):
            target = folder / f"{name}.{suffix}"
            target.write_bytes(content)
            yield Hostile(target, f"{name} as {suffix}")


def bombs(folder: Path) -> Iterator[Hostile]:
    """Write small files that expand: long silence, and headers that declare more."""
    for suffix, container, coding, sample_rate, channels in (
        ("flac", "FLAC", "PCM_16", 44_100, 8),
        ("ogg", "OGG", "VORBIS", 8_000, 2),
        ("mp3", "MP3", "MPEG_LAYER_III", 8_000, 1),
    ):
        target = folder / f"silence.{suffix}"
        form = {"subtype": coding, "format": container}
        silence = np.zeros((_BLOCK_S * sample_rate, channels), np.int16)
        with soundfile.SoundFile(target, "w", sample_rate, channels, **form) as file:
            for _ in range(_BOMB_S // _BLOCK_S):
                file.write(silence)
        yield Hostile(target, f"{_BOMB_S} s of silence in {channels} channels as {suffix}")
    for channels, sample_rate in ((0, 44_100), (65_535, 44_100), (2, 0), (2, 0xFFFFFFFF), (255, 1)):
        head = struct.pack(
            "<HHIIHH", 1, channels, sample_rate, 0xFFFFFFFF, 2 * channels & 0xFFFF, 16
        )
        data = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", 16) + head
        target = folder / f"{channels}x{sample_rate}.wav"
        target.write_bytes(data + b"data\xff\xff\xff\xff" + bytes(100_000))
        yield Hostile(target, f"{channels} channels at {sample_rate} Hz")


def corpus(folder: Path, each: int = 8, seed: int = 1) -> list[Hostile]:
    """Write more than 200 files of all kinds."""
    places = {name: folder / name for name in ("good", "mutants", "impostors", "bombs")}
    for place in places.values():
        place.mkdir(parents=True)
    return [
        *mutants(good_files(places["good"]), places["mutants"], each, seed),
        *impostors(places["impostors"]),
        *bombs(places["bombs"]),
    ]
