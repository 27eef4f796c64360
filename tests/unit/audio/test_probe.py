"""Files that are recognized as audio by their first bytes, whatever their names."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from mashup_worker.audio.probe import has_audio
from tests.defects.files import FORMATS
from tests.unit.audio_fixtures import ffmpeg, music, needs_ffmpeg, write

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS = {
    "m4a": (),
    "mov": ("-c:a", "aac"),
    "mkv": ("-c:a", "flac"),
    "webm": (),
    "wma": (),
    "ac3": (),
    "aac": (),
    "wv": (),
    "tta": (),
    "mp2": (),
    "avi": (),
    "ts": (),
    "mpg": (),
    "flv": ("-c:a", "aac"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_of_libsndfile_and_mp3(name: str, tmp_path: Path) -> None:
    make, sample_rate, channels = FORMATS[name]
    data = make(sample_rate, channels, 0)
    (tmp_path / "song").write_bytes(data)
    assert has_audio(tmp_path / "song")
    (tmp_path / "tagged").write_bytes(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + data)
    assert has_audio(tmp_path / "tagged")


def test_wave64(tmp_path: Path) -> None:
    write(tmp_path / "a.w64", music(0.1))
    assert has_audio((tmp_path / "a.w64").rename(tmp_path / "song"))


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ENCODINGS)
def test_formats_of_ffmpeg(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ffmpeg(music(0.3), tmp_path / f"a.{suffix}", *ENCODINGS[suffix])
    song = path.rename(tmp_path / "song.txt")
    assert has_audio(song)
    monkeypatch.setenv("PATH", "")
    assert has_audio(song) == (suffix == "mp2")


@needs_ffmpeg
def test_a_video_without_sound_is_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "video"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=size=64x64:duration=0.2"]
    subprocess.run([*command, "-f", "matroska", path], check=True)
    assert not has_audio(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(900),
        b"\x89PNG\r\n\x1a\n" + bytes(900),
        b"\0\0\0\x18ftypheic" + bytes(900),
        b"RIFF\x40\0\0\0WEBPVP8 " + bytes(900),
        b"FORM\0\0\0\x40ILBM" + bytes(900),
        b"%PDF-1.7\n" + bytes(900),
        b"ID3\4\0\0\0\0\0\x0a" + bytes(900),
        ("\ufeffA note that begins with a mark of its byte order.\n" * 60).encode("utf-16-le"),
        b"Gee, this is a text with a G where a transport stream has one.\n" * 40,
        bytes(900),
    ],
)
def test_other_files_are_no_audio(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    assert not has_audio(tmp_path / "file")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not has_audio(tmp_path / "pipe")
    assert not has_audio(tmp_path)
    assert not has_audio(tmp_path / "missing")
