"""Decoding through ffmpeg, which opens no other file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from mashup_worker.audio import ffmpeg as ffmpeg_module
from mashup_worker.audio.decode import decode
from mashup_worker.audio.ffmpeg import FfmpegSource
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.probe import probe
from mashup_worker.errors import TooLong, UnsupportedAudio
from tests.unit.audio_fixtures import ffmpeg, music, needs_ffmpeg, truncate

if TYPE_CHECKING:
    from pathlib import Path


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.m4a", "a.aac", "a.webm", "a.mkv", "a.wma", "a.mp4", "a.ts"])
def test_formats_of_ffmpeg_are_decoded(name: str, tmp_path: Path) -> None:
    audio = music(2.5, 48000)
    got = decode(ffmpeg(audio, tmp_path / name))
    assert (got.sample_rate, got.channels) == (48000, 2)
    assert got.duration_s == pytest.approx(2.5, abs=0.1)
    level = (
        got.samples[:, 24000:96000].square().mean() / audio.samples[:, 24000:96000].square().mean()
    )
    assert float(level) == pytest.approx(1.0, abs=0.1)


@needs_ffmpeg
def test_the_header_of_an_m4a(tmp_path: Path) -> None:
    info = probe(ffmpeg(music(2.0, 22050, 1), tmp_path / "a.m4a"))
    assert (info.container, info.codec, info.sample_rate, info.channels) == ("mov", "aac", 22050, 1)
    assert info.claimed_duration_s == pytest.approx(2.0, abs=0.1)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options"), [("a.m4a", ()), ("b.m4a", ("-movflags", "+faststart")), ("a.webm", ())]
)
def test_truncated_files_through_ffmpeg(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = truncate(ffmpeg(music(4.0), tmp_path / name, *options), 0.6)
    with pytest.raises(UnsupportedAudio, match=name):
        decode(path)


@needs_ffmpeg
def test_limits_hold_through_ffmpeg(tmp_path: Path) -> None:
    path = ffmpeg(music(4.0), tmp_path / "a.m4a")
    with pytest.raises(TooLong, match=r"a\.m4a"):
        decode(path, DecodeLimits(max_duration_s=2))


@needs_ffmpeg
@pytest.mark.parametrize("demuxer", [None, "wav", "mov", "mp3", "mpegts"])
def test_files_that_a_playlist_names_stay_unread(demuxer: str | None, tmp_path: Path) -> None:
    secret = ffmpeg(music(0.5), tmp_path / "secret.ts").read_bytes()[:30_000]
    os.mkfifo(tmp_path / "pipe.ts")
    pipe = os.open(tmp_path / "pipe.ts", os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(pipe, secret)
        path = tmp_path / "list.m3u8"
        path.write_text(
            "#EXTM3U\nWAVE\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\npipe.ts\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(UnsupportedAudio, match=r"list\.m3u8"):
            decode(path) if demuxer is None else FfmpegSource(path, demuxer)
        assert os.read(pipe, 1 << 16) == secret
    finally:
        os.close(pipe)


@needs_ffmpeg
@pytest.mark.parametrize("head", [b"\xff\xfb\x90\0", b"\xff\xf1\x50\x80", b"\x0b\x77", b"OggS"])
def test_noise_after_a_header_is_an_error(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(head + np.random.default_rng(3).bytes(100_000))
    with pytest.raises(UnsupportedAudio, match=r"a\.bin"):
        decode(path)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("stuck", "timeout"), [("ffprobe", "_PROBE_TIMEOUT_S"), ("ffmpeg", "_OUTPUT_TIMEOUT_S")]
)
def test_a_program_that_hangs_is_killed(
    stuck: str, timeout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ffmpeg(music(0.5), tmp_path / "a.m4a")
    (tmp_path / stuck).write_text("#!/bin/sh\nprintf 12345\nexec sleep 60\n")
    (tmp_path / stuck).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    # The other program keeps its timeout, so that load cannot make it the one that hangs.
    monkeypatch.setattr(ffmpeg_module, timeout, 0.5)
    before = set(psutil.Process().children())
    with pytest.raises(UnsupportedAudio, match=rf"a\.m4a: .*{stuck} .*0\.5 s"):
        decode(path)
    assert set(psutil.Process().children()) <= before


@needs_ffmpeg
def test_without_ffmpeg_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ffmpeg(music(0.5), tmp_path / "a.m4a")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedAudio, match=r"a\.m4a: .*install ffmpeg"):
        decode(path)
