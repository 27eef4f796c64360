"""Damaged files, wrong headers and limits: decoding gives the whole audio or one error."""

from __future__ import annotations

import errno
import os
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.decode import decode, open_decoder
from mashup_worker.audio.ffmpeg import demuxer_of
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.probe import probe
from mashup_worker.audio.sndfile import SndfileSource
from mashup_worker.errors import InvalidInput, StorageFailed, TooLarge, TooLong, UnsupportedAudio
from tests.unit.audio_fixtures import mp3, music, open_files, patched, truncate, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_written_to_a_pipe_is_decoded_to_its_end(size: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(1.0))
    whole = decode(path).samples
    assert torch.equal(decode(patched(path, b"data", size)).samples, whole)
    assert probe(path).claimed_duration_s is None


@pytest.mark.parametrize("seconds", [2.0, 20.0])
def test_a_header_that_declares_too_little_is_an_error(tmp_path: Path, seconds: float) -> None:
    half = round(seconds * 44100) // 2
    wav = patched(write(tmp_path / "a.wav", music(seconds)), b"data", 4 * half)
    with pytest.raises(UnsupportedAudio, match=r"a\.wav: .*declares"):
        decode(wav)
    flac = write(tmp_path / "a.flac", music(seconds))
    content = bytearray(flac.read_bytes())
    # The low 32 of 36 bits with the number of samples, in the block that opens the file.
    content[22:26] = half.to_bytes(4, "big")
    flac.write_bytes(content)
    with pytest.raises(UnsupportedAudio, match=r"a\.flac: .*declares"):
        decode(flac)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_tags_after_the_audio_are_accepted(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, music(3.0))
    whole = decode(path).samples
    with path.open("ab") as file:
        file.write(b"TAG".ljust(128, b"\0"))
    assert torch.equal(decode(path).samples, whole)


def test_chunks_after_the_audio_are_accepted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(1.0))
    whole = decode(path).samples
    with path.open("ab") as file:
        file.write(b"id3 " + (1 << 20).to_bytes(4, "little") + bytes(1 << 20))
    assert torch.equal(decode(path).samples, whole)


def test_a_header_that_declares_too_much_is_a_truncated_file(tmp_path: Path) -> None:
    path = patched(write(tmp_path / "a.wav", music(1.0)), b"data", 4 * 44100 * 2)
    with pytest.raises(UnsupportedAudio, match=r"a\.wav: .* 1\.00 s of 2\.00 s"):
        decode(path)


@pytest.mark.parametrize("share", [0.03, 0.5, 0.95])
@pytest.mark.parametrize(
    ("name", "subtype", "container"),
    [
        ("a.flac", "PCM_16", "FLAC"),
        ("a.mp3", "MPEG_LAYER_III", "MP3"),
        ("a.wav", "PCM_24", "WAV"),
        ("a.rf64", "PCM_16", "RF64"),
        ("a.w64", "PCM_16", "W64"),
        ("a.aiff", "PCM_16", "AIFF"),
    ],
)
def test_a_truncated_file_is_an_error(
    name: str, subtype: str, container: str, share: float, tmp_path: Path
) -> None:
    path = truncate(write(tmp_path / name, music(3.0), subtype, container), share)
    with pytest.raises(UnsupportedAudio) as caught:
        decode(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_an_untagged_mp3_that_ends_inside_a_frame_is_decoded_with_a_warning(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", music(2.0))
    whole = decode(path).samples
    path.write_bytes(path.read_bytes()[:-100])
    with open_decoder(path) as decoder:
        samples = torch.cat(list(decoder.blocks()), 1)
        assert any("ends inside" in warning for warning in decoder.warnings)
    # A frame overlaps the one before it.
    assert samples.shape == whole.shape
    assert torch.equal(samples[:, : -2 * 1152], whole[:, : -2 * 1152])


def test_damage_inside_a_flac_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", music(3.0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(UnsupportedAudio, match=r"after about 1\.\d s"):
        decode(path)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.wav", b"", "invalid_input"),
        ("text.mp3", b"Not a song, just some words. " * 500, "unsupported_audio"),
        ("text.ts", b"Good words, none of them a song. " * 500, "unsupported_audio"),
        ("noise.flac", np.random.default_rng(1).bytes(50_000), "unsupported_audio"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "unsupported_audio"),
        ("list.m4a", b"ffconcat version 1.0\nfile /etc/hostname\n", "unsupported_audio"),
        ("fake.m4a", b"\0\0\0\x20ftypM4A " + bytes(3000), "unsupported_audio"),
    ],
)
def test_a_file_without_audio_is_an_error_that_names_it(
    name: str, content: bytes, code: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        decode(path)
    assert caught.value.code == code
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_missing_files_folders_and_pipes_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        decode(tmp_path / "nothing.wav")
    with pytest.raises(InvalidInput, match="folder"):
        decode(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InvalidInput, match="not a regular file"):
        decode(tmp_path / "pipe.wav")


@pytest.mark.parametrize("open_", [SndfileSource, demuxer_of])
def test_a_file_that_disappears_is_named(open_: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.wav: No such file"):
        open_(tmp_path / "gone.wav")


@pytest.mark.parametrize("readable_bytes", [0, 20_000])
@pytest.mark.parametrize("name", ["a.mp3", "a.wav"])
def test_a_read_error_of_the_disk_is_not_the_end_of_a_song(
    name: str, readable_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    if name == "a.mp3":
        mp3(path, music(4.0))
    else:
        patched(write(path, music(4.0)), b"data", 0)
    before, pread = open_files(), os.pread

    def failing(descriptor: int, count: int, offset: int) -> bytes:
        if offset >= readable_bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(StorageFailed, match=rf"{name}: .*Input/output error"):
        decode(path)
    assert open_files() == before


@pytest.mark.parametrize("name", ["none.wav", "none.ogg"])
def test_a_header_without_sound(name: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / name, np.zeros((0, 2)), 44100)
    with pytest.raises(InvalidInput, match="no audio"):
        decode(tmp_path / name)


def test_absurd_sample_rates_are_an_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 1)), 20)
    with pytest.raises(UnsupportedAudio, match="20 Hz"):
        probe(tmp_path / "a.wav")


def test_files_within_the_limits_are_decoded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(2.0))
    limits = DecodeLimits(path.stat().st_size, 2.0, 2 * 44100 * 2 * 4)
    assert decode(path, limits).duration_s == 2.0


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (DecodeLimits(max_bytes=1000), TooLarge),
        (DecodeLimits(max_duration_s=1.99), TooLong),
        (DecodeLimits(max_decoded_bytes=2 * 44100 * 2 * 4 - 1), TooLarge),
    ],
)
def test_files_beyond_a_limit_are_an_error(
    limits: DecodeLimits, error: type[Exception], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.flac", music(2.0))
    with pytest.raises(error, match=r"a\.flac"):
        decode(path, limits)


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (DecodeLimits(max_duration_s=30), TooLong),
        (DecodeLimits(max_decoded_bytes=20_000_000), TooLarge),
    ],
)
def test_a_decompression_bomb_is_stopped_in_little_memory(
    limits: DecodeLimits, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "bomb.flac"
    with soundfile.SoundFile(path, "w", 44100, 8) as file:
        for _ in range(120):
            file.write(np.zeros((44100, 8), np.int16))
    assert path.stat().st_size < 200_000  # 169 MB once decoded
    # The header declares no length.
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with open_decoder(path, limits) as decoder, pytest.raises(error):
            for _ in decoder.blocks():
                pass
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
