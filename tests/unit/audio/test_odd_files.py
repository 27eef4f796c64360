"""Valid files that other programs write: odd chunks, tags of wrong size, VBRI, speaker masks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.audio.decode import decode, open_decoder
from mashup_worker.audio.layouts import ffmpeg_speakers
from mashup_worker.audio.mpeg import parse_header
from mashup_worker.audio.probe import probe
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import UnsupportedAudio
from tests.unit.audio_fixtures import ffmpeg, mp3, music, needs_ffmpeg, write

if TYPE_CHECKING:
    from pathlib import Path


def warned(path: Path) -> tuple[torch.Tensor, tuple[str, ...]]:
    with open_decoder(path) as decoder:
        return torch.cat(list(decoder.blocks()), 1), decoder.warnings


def chunk(name: bytes, data: bytes, *, padded: bool = True) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2 if padded else 0)


def wave(*chunks: bytes, riff_size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 44_100, 132_300, 3, 24))
SOUND = np.random.default_rng(3).integers(-(1 << 22), 1 << 22, 22_051).astype("<i4")
DATA = SOUND.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
ART = np.random.default_rng(4).integers(1, 255, 102_000, dtype=np.uint8).tobytes()


@pytest.mark.parametrize(
    ("content", "warnings"),
    [
        (wave(FORMAT, chunk(b"data", DATA)), 0),
        (wave(FORMAT, chunk(b"data", DATA, padded=False), chunk(b"id3 ", ART)), 0),
        (wave(FORMAT, chunk(b"bext", bytes(857), padded=False), chunk(b"data", DATA)), 0),
        (wave(FORMAT, chunk(b"data", DATA)) + bytes(70_001), 0),
        (wave(FORMAT, chunk(b"data", DATA)) + b"TAG" + ART[:125], 0),
        (wave(FORMAT, chunk(b"data", DATA)) + ART, 1),
        (wave(FORMAT, chunk(b"data", DATA)) + wave(FORMAT, chunk(b"data", DATA)), 1),
        (wave(chunk(b"iXML", bytes(9_000)), FORMAT, b"data\0\0\0\0" + DATA, riff_size=0), 0),
    ],
)
def test_chunks_and_bytes_around_the_data_of_a_wav(
    content: bytes, warnings: int, tmp_path: Path
) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    samples, found = warned(path)
    assert len(found) == warnings, found
    wanted = torch.from_numpy(SOUND.astype(np.float32) / (1 << 23))
    assert samples.shape == (1, len(SOUND))
    assert torch.allclose(samples[0], wanted)


def test_two_data_chunks_are_one_song(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wave(FORMAT, chunk(b"data", DATA), chunk(b"data", DATA)))
    samples = decode(path).samples
    assert torch.equal(samples[:, : len(SOUND)], samples[:, len(SOUND) :])


def test_audio_behind_a_wav_that_its_header_does_not_declare_is_an_error(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.wav", music(3.0)).read_bytes()
    half = len(whole) // 2 // 4 * 4
    head = struct.pack("<I", half + 36) + whole[8:40] + struct.pack("<I", half)
    path = tmp_path / "song.wav"
    path.write_bytes(b"RIFF" + head + whole[44:])
    with pytest.raises(UnsupportedAudio, match="declares"):
        decode(path)


@pytest.mark.parametrize("stated", [0, 40, 400, 70_000, 2_000_000])
@pytest.mark.parametrize("real", [300, 60_000])
def test_an_id3_tag_of_another_size_than_it_states(real: int, stated: int, tmp_path: Path) -> None:
    path = mp3(tmp_path / "song.mp3", music(3.0))
    data, whole = path.read_bytes(), decode(path).samples
    size = bytes(stated >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\4\0\0" + size + ART[:real] + data)
    samples = decode(path).samples
    # A size that ends at a frame skips the frames before it, as in every player.
    assert samples.shape[1] >= whole.shape[1] - 1152 * (max(0, stated - real) // 417 + 1)


def test_a_vbri_frame_is_no_sound(tmp_path: Path) -> None:
    path = mp3(tmp_path / "song.mp3", music(2.0))
    data, whole = path.read_bytes(), decode(path).samples
    frames = whole.shape[1] // 1152
    tag = b"VBRI\0\1" + bytes(4) + struct.pack(">II", len(data) + 417, frames)
    path.write_bytes((b"\xff\xfb\x90\x64" + bytes(32) + tag).ljust(417, b"\0") + data)
    assert torch.equal(decode(path).samples, whole)
    assert probe(path).claimed_duration_s == pytest.approx(whole.shape[1] / 44_100)


def test_a_tag_on_a_file_cut_between_frames_is_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "song.mp3", music(3.0), "MPEG_LAYER_III", "MP3")
    data, cut = path.read_bytes(), 0
    while cut < len(data) // 2:
        header = parse_header(data[cut : cut + 4])
        assert header is not None
        cut += header.length_bytes
    path.write_bytes(data[:cut])
    samples, warnings = warned(path)
    assert 1.0 < samples.shape[1] / 44_100 < 2.0
    assert any("declares" in warning for warning in warnings)


MASKS = {
    0b1011: ("L", "R", "LFE"),
    0b0111: ("L", "R", "C"),
    0b1111: ("L", "R", "C", "LFE"),
    0x107: ("L", "R", "C", "Cb"),
    0x33: ("L", "R", "Lb", "Rb"),
}
SIDES = {"L": (1, 0), "R": (0, 1), "C": (0.7071, 0.7071), "LFE": (0, 0), "Cb": (0.5, 0.5)}
SIDES |= {"Lb": (0.7071, 0), "Rb": (0, 0.7071)}


@pytest.mark.parametrize("mask", MASKS)
def test_the_speaker_mask_of_a_wav_decides_the_downmix(mask: int, tmp_path: Path) -> None:
    speakers = MASKS[mask]
    for number, speaker in enumerate(speakers):
        path = tmp_path / f"{speaker}.wav"
        silent = torch.zeros(len(speakers), 8_000)
        silent[number] = 0.5
        write(path, Audio(silent, 8_000), "PCM_16", "WAVEX")
        data = bytearray(path.read_bytes())
        data[40:44] = struct.pack("<I", mask)
        path.write_bytes(data)
        assert probe(path).speakers == speakers
        wanted = [0.5 * side for side in SIDES[speaker]]
        assert decode(path).samples.mean(1).tolist() == pytest.approx(wanted, abs=1e-3), speaker


@needs_ffmpeg
@pytest.mark.parametrize(("layout", "mask"), [("2.1", 11), ("3.0", 7), ("3.1", 15), ("4.0", 0x107)])
@pytest.mark.parametrize("suffix", ["flac", "mka", "wv", "caf"])
def test_the_layout_decides_the_downmix_in_other_formats(
    suffix: str, layout: str, mask: int, tmp_path: Path
) -> None:
    speakers = MASKS[mask]
    times = torch.arange(24_000) / 48_000
    sound = torch.stack(
        [0.1 * torch.sin(2 * torch.pi * 300 * (k + 1) * times) for k in range(len(speakers))]
    )
    codec = {"mka": ("-c:a", "flac"), "wv": ("-c:a", "wavpack")}.get(suffix, ())
    source = ffmpeg(Audio(sound, 48_000), tmp_path / "source.wav")
    again = ("-i", str(source), "-map", "1:a", "-af", f"channelmap=channel_layout={layout}")
    path = ffmpeg(Audio(sound, 48_000), tmp_path / f"song.{suffix}", *again, *codec)
    folded = decode(path).samples[:, 6_000:18_000].double()
    spectrum = torch.fft.rfft(folded).abs() / 600
    for number, speaker in enumerate(speakers):
        got = spectrum[:, 75 * (number + 1)].tolist()
        assert got == pytest.approx(SIDES[speaker], abs=0.02), (speaker, probe(path).speakers)


def test_layouts_of_ffmpeg() -> None:
    assert ffmpeg_speakers("5.1(side)", 6) == ("L", "R", "C", "LFE", "Ls", "Rs")
    assert ffmpeg_speakers("3 channels (FL+FR+BC)", 3) == ("L", "R", "Cb")
    assert ffmpeg_speakers("", 3) == ("L", "R", "C")
    assert ffmpeg_speakers("3.0", 4) == ("L", "R", "Ls", "Rs")


@needs_ffmpeg
def test_a_matroska_that_starts_late_is_whole(tmp_path: Path) -> None:
    path = ffmpeg(
        music(2.0, 48_000), tmp_path / "song.mka", "-c:a", "flac", "-output_ts_offset", "60"
    )
    assert decode(path).duration_s == pytest.approx(2.0, abs=0.1)
    assert probe(path).claimed_duration_s == pytest.approx(2.0, abs=0.1)
