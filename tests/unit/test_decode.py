from __future__ import annotations

import errno
import os
import struct
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import lameenc
import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio import ffmpeg as ffmpeg_module
from mashup_worker.audio.decode import decode, open_decoder
from mashup_worker.audio.ffmpeg import FfmpegSource, demuxer_of
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.probe import probe
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.sndfile import SndfileSource
from mashup_worker.errors import (
    InvalidInput,
    StorageFailed,
    TooLarge,
    TooLong,
    UnsupportedAudio,
)
from tests.unit.audio_fixtures import ffmpeg, music, needs_ffmpeg, snr_db, truncate, write

if TYPE_CHECKING:
    from collections.abc import Callable

LOSSLESS = [
    ("a.wav", "PCM_U8", "WAV", 30),
    ("a.wav", "PCM_16", "WAV", 80),
    ("a.wav", "PCM_24", "WAVEX", 130),
    ("a.wav", "PCM_32", "WAV", 140),
    ("a.wav", "FLOAT", "WAV", 200),
    ("a.wav", "DOUBLE", "WAV", 200),
    ("a.rf64", "PCM_24", "RF64", 130),
    ("a.w64", "FLOAT", "W64", 200),
    ("a.flac", "PCM_16", "FLAC", 80),
    ("a.flac", "PCM_24", "FLAC", 130),
    ("a.aiff", "PCM_24", "AIFF", 130),
    ("a.caf", "PCM_16", "CAF", 80),
    ("a.caf", "ALAC_24", "CAF", 130),
]


def mp3(path: Path, audio: Audio, *, vbr: bool = False) -> Path:
    """An MP3 without the tag that tells its length."""
    lame = lameenc.Encoder()
    lame.silence()
    lame.set_channels(audio.channels)
    lame.set_in_sample_rate(audio.rate_hz)
    if vbr:
        lame.set_vbr(lameenc.VBR_MTRH)
        lame.set_vbr_quality(3)
    else:
        lame.set_bit_rate(128)
    pcm = (audio.samples.T * 32767).short().contiguous().numpy()
    path.write_bytes(bytes(lame.encode(pcm.tobytes())) + bytes(lame.flush()))
    return path


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def patched(path: Path, chunk: bytes, size: int) -> Path:
    """The file with another size in the header of a chunk."""
    data = bytearray(path.read_bytes())
    at = data.index(chunk) + len(chunk)
    data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "subtype", "container", "least_db"), LOSSLESS)
def test_lossless_formats_come_back(
    name: str, subtype: str, container: str, least_db: float, tmp_path: Path
) -> None:
    audio = music(1.3)
    path = write(tmp_path / name, audio, subtype, container)
    got = decode(path)
    assert (got.rate_hz, got.samples.dtype) == (44100, torch.float32)
    assert snr_db(audio.samples, got.samples) > least_db
    info = probe(path)
    assert (info.rate_hz, info.channels) == (44100, 2)
    assert info.claimed_duration_s == pytest.approx(1.3)


@pytest.mark.parametrize(
    ("name", "subtype", "container"),
    [("a.ogg", "VORBIS", "OGG"), ("a.opus", "OPUS", "OGG"), ("a.mp3", "MPEG_LAYER_III", "MP3")],
)
def test_lossy_formats_come_back_in_place(
    name: str, subtype: str, container: str, tmp_path: Path
) -> None:
    audio = music(3.2, 48000)
    got = decode(write(tmp_path / name, audio, subtype, container))
    assert got.samples.shape == audio.samples.shape
    assert snr_db(audio.samples, got.samples) > 15


def test_blocks_are_what_one_read_gives(tmp_path: Path) -> None:
    path = write(tmp_path / "a.opus", music(4.0, 48000), "OPUS", "OGG")
    whole, _ = soundfile.read(path, dtype="float32")
    with open_decoder(path) as decoder:
        blocks = list(decoder.blocks())
    assert len(blocks) >= 4
    assert snr_db(torch.from_numpy(whole.T), torch.cat(blocks, 1)) > 80


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 88200, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channels(rate_hz: int, channels: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(0.2, rate_hz, channels))
    with open_decoder(path) as decoder:
        assert (decoder.rate_hz, decoder.source_channels) == (rate_hz, channels)
        samples = torch.cat(list(decoder.blocks()), 1)
    assert samples.shape == (min(channels, 2), rate_hz // 5)


def test_ten_milliseconds_silence_and_an_offset(tmp_path: Path) -> None:
    assert decode(write(tmp_path / "short.flac", music(0.01))).length_samples == 441
    silence = decode(write(tmp_path / "silence.wav", Audio(torch.zeros(1, 500), 8000)))
    assert not silence.samples.any()
    offset = decode(write(tmp_path / "dc.wav", Audio(torch.full((1, 500), 0.25), 8000)))
    assert torch.equal(offset.samples, torch.full((1, 500), 0.25))


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_that_are_no_numbers_become_silence(subtype: str, tmp_path: Path) -> None:
    audio = music(2.0)
    broken = audio.samples.double().T.numpy().copy()
    broken[5, 0] = np.nan
    broken[50000, 1] = np.inf
    broken[50001] = -np.inf
    broken[7, 1] = 1e30
    soundfile.write(tmp_path / "nan.wav", broken, 44100, subtype)
    with open_decoder(tmp_path / "nan.wav") as decoder:
        samples = torch.cat(list(decoder.blocks()), 1)
        assert decoder.non_finite_samples == 5
    assert samples.isfinite().all()
    replaced = samples != audio.samples
    assert int(replaced.sum()) == 5
    assert not samples[replaced].any()


def test_samples_beyond_full_scale_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "hot.wav", Audio(4 * music(0.1).samples, 44100), "FLOAT")
    assert decode(path).samples.abs().max() > 2


@pytest.mark.parametrize("vbr", [False, True])
def test_an_mp3_that_does_not_tell_its_length_is_decoded_to_its_end(
    vbr: bool, tmp_path: Path
) -> None:
    # The quiet start makes the file's length look different from what it is.
    audio = Audio(torch.cat([torch.zeros(2, 44100), music(5.0).samples], 1), 44100)
    got = decode(mp3(tmp_path / "a.mp3", audio, vbr=vbr))
    assert 6.0 <= got.duration_s < 6.1
    # LAME puts 576 samples first and decoding adds 529.
    assert snr_db(audio.samples, got.samples[:, 1105:][:, : audio.length_samples]) > 15


def test_tags_and_junk_around_an_mp3_are_skipped(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", music(2.0))
    clean, data = decode(path).samples, path.read_bytes()
    cover = np.random.default_rng(0).bytes(200_000)
    id3 = b"ID3\x04\0\0" + bytes([len(cover) >> s & 0x7F for s in (21, 14, 7, 0)]) + cover
    for name, tagged in {
        "id3v2": id3 + data,
        "id3v1": data + b"TAG" + bytes(125),
        "padding": data + bytes(5000),
        "ape": data + b"APETAGEX" + cover[:50_000],
        "gap": data[:10_000] + cover[:3000] + data[10_000:],
    }.items():
        path.write_bytes(tagged)
        got = decode(path).samples
        assert got.shape[1] >= clean.shape[1] - 3 * 1152, name
        if name != "gap":
            assert torch.equal(got, clean), name


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_written_to_a_pipe_is_decoded_to_its_end(size: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(1.0))
    whole = decode(path).samples
    assert torch.equal(decode(patched(path, b"data", size)).samples, whole)
    assert probe(path).claimed_duration_s is None


@pytest.mark.parametrize("seconds", [2.0, 20.0])
def test_a_header_that_claims_less_than_there_is_is_an_error(
    tmp_path: Path, seconds: float
) -> None:
    half = round(seconds * 44100) // 2
    wav = patched(write(tmp_path / "a.wav", music(seconds)), b"data", 4 * half)
    with pytest.raises(UnsupportedAudio, match=r"a\.wav is damaged: .* more follow"):
        decode(wav)
    flac = write(tmp_path / "a.flac", music(seconds))
    content = bytearray(flac.read_bytes())
    # The low 32 of 36 bits with the number of samples, in the block that opens the file.
    content[22:26] = half.to_bytes(4, "big")
    flac.write_bytes(content)
    with pytest.raises(UnsupportedAudio, match=r"a\.flac is damaged: .* more follow"):
        decode(flac)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_tags_behind_the_sound_are_no_damage(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, music(3.0))
    whole = decode(path).samples
    with path.open("ab") as file:
        file.write(b"TAG".ljust(128, b"\0"))
    assert torch.equal(decode(path).samples, whole)


def test_chunks_behind_the_sound_are_no_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(1.0))
    whole = decode(path).samples
    with path.open("ab") as file:
        file.write(b"id3 " + (1 << 20).to_bytes(4, "little") + bytes(1 << 20))
    assert torch.equal(decode(path).samples, whole)


def test_a_header_that_claims_more_means_a_truncated_file(tmp_path: Path) -> None:
    path = patched(write(tmp_path / "a.wav", music(1.0)), b"data", 4 * 44100 * 2)
    with pytest.raises(UnsupportedAudio, match=r"a\.wav is truncated: .* 1\.00 s of 2\.00 s"):
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
def test_a_truncated_file_is_not_taken_for_whole(
    name: str, subtype: str, container: str, share: float, tmp_path: Path
) -> None:
    path = truncate(write(tmp_path / name, music(3.0), subtype, container), share)
    with pytest.raises(UnsupportedAudio) as caught:
        decode(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_an_untagged_mp3_that_ends_inside_a_frame_is_truncated(tmp_path: Path) -> None:
    path = mp3(tmp_path / "a.mp3", music(2.0))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnsupportedAudio, match="truncated"):
        decode(path)


def test_damage_inside_a_flac_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", music(3.0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(UnsupportedAudio, match="damaged after about"):
        decode(path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.mp3", b"Not a song, just some words. " * 500, "can't be decoded"),
        ("text.ts", b"Good words, none of them a song. " * 500, "can't be decoded: format"),
        ("noise.flac", np.random.default_rng(1).bytes(50_000), "can't be decoded"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "can't be decoded"),
        ("list.m4a", b"ffconcat version 1.0\nfile /etc/hostname\n", "can't be decoded"),
        ("fake.m4a", b"\0\0\0\x20ftypM4A " + bytes(3000), "can't be decoded|needs ffmpeg"),
    ],
)
def test_what_is_not_audio_is_refused_by_name(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=reason) as caught:
        decode(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_no_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        decode(tmp_path / "nothing.wav")
    with pytest.raises(InvalidInput, match="is a folder"):
        decode(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InvalidInput, match="not a regular file"):
        decode(tmp_path / "pipe.wav")


@pytest.mark.parametrize("open_", [SndfileSource, demuxer_of])
def test_a_file_that_goes_away_is_named(open_: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.wav: No such file"):
        open_(tmp_path / "gone.wav")


@pytest.mark.parametrize("readable_bytes", [0, 20_000])
@pytest.mark.parametrize("name", ["a.mp3", "a.wav"])
def test_a_disk_that_fails_is_not_the_end_of_a_song(
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
    with pytest.raises(StorageFailed, match=rf"can't read .*{name}: Input/output error"):
        decode(path)
    assert open_files() == before


@pytest.mark.parametrize("name", ["none.wav", "none.ogg"])
def test_a_header_without_sound(name: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / name, np.zeros((0, 2)), 44100)
    with pytest.raises(InvalidInput, match="has no audio"):
        decode(tmp_path / name)


def test_absurd_rates_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 1)), 20)
    with pytest.raises(UnsupportedAudio, match="20 Hz"):
        probe(tmp_path / "a.wav")


def test_limits_let_pass_what_they_allow(tmp_path: Path) -> None:
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
def test_limits_stop_what_passes_them(
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
def test_a_bomb_is_stopped_before_it_grows(
    limits: DecodeLimits, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "bomb.flac"
    with soundfile.SoundFile(path, "w", 44100, 8) as file:
        for _ in range(120):
            file.write(np.zeros((44100, 8), np.int16))
    assert path.stat().st_size < 200_000  # 169 MB once decoded
    # The header doesn't tell the length.
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


def test_nothing_stays_open(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a.mp3", music(4.0), "MPEG_LAYER_III", "MP3"),
        mp3(tmp_path / "b.mp3", music(4.0)),
        write(tmp_path / "a.flac", music(2.0)),
        truncate(write(tmp_path / "b.flac", music(2.0)), 0.001),
        patched(write(tmp_path / "a.wav", music(2.0)), b"data", 0),
    ]
    before = open_files()
    for path in paths:
        try:
            with open_decoder(path) as decoder:
                next(decoder.blocks())
        except UnsupportedAudio:
            assert path.name == "b.flac"
    assert open_files() == before


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.m4a", "a.aac", "a.webm", "a.mkv", "a.wma", "a.mp4", "a.ts"])
def test_what_ffmpeg_knows(name: str, tmp_path: Path) -> None:
    audio = music(2.5, 48000)
    got = decode(ffmpeg(audio, tmp_path / name))
    assert (got.rate_hz, got.channels) == (48000, 2)
    assert got.duration_s == pytest.approx(2.5, abs=0.1)
    level = (
        got.samples[:, 24000:96000].square().mean() / audio.samples[:, 24000:96000].square().mean()
    )
    assert float(level) == pytest.approx(1.0, abs=0.1)


@needs_ffmpeg
def test_the_header_of_an_m4a(tmp_path: Path) -> None:
    info = probe(ffmpeg(music(2.0, 22050, 1), tmp_path / "a.m4a"))
    assert (info.container, info.codec, info.rate_hz, info.channels) == ("mov", "aac", 22050, 1)
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
        with pytest.raises(UnsupportedAudio, match=r"list\.m3u8 can't be decoded"):
            decode(path) if demuxer is None else FfmpegSource(path, demuxer)
        assert os.read(pipe, 1 << 16) == secret
    finally:
        os.close(pipe)


@needs_ffmpeg
@pytest.mark.parametrize("head", [b"\xff\xfb\x90\0", b"\xff\xf1\x50\x80", b"\x0b\x77", b"OggS"])
def test_noise_behind_a_header_is_refused(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(head + np.random.default_rng(3).bytes(100_000))
    with pytest.raises(UnsupportedAudio, match=r"a\.bin"):
        decode(path)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("stuck", "reason"), [("ffprobe", "did not end within"), ("ffmpeg", "gave nothing for")]
)
def test_a_program_that_is_stuck_is_stopped(
    stuck: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ffmpeg(music(0.5), tmp_path / "a.m4a")
    script = '#!/bin/sh\necho $$ > "$0.pid"\nprintf 12345\nexec sleep 60\n'
    (tmp_path / stuck).write_text(script)
    (tmp_path / stuck).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(ffmpeg_module, "_PROBE_PATIENCE_S", 0.5)
    monkeypatch.setattr(ffmpeg_module, "_SILENCE_PATIENCE_S", 0.5)
    with pytest.raises(
        UnsupportedAudio, match=rf"a\.m4a can't be decoded: {stuck} {reason} 0\.5 s"
    ):
        decode(path)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / f"{stuck}.pid").read_text()), 0)


@needs_ffmpeg
def test_without_ffmpeg_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ffmpeg(music(0.5), tmp_path / "a.m4a")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedAudio, match=r"a\.m4a needs ffmpeg"):
        decode(path)
