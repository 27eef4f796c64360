"""Decoding of every format, rate and channel count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.decode import decode, open_decoder
from mashup_worker.audio.probe import probe
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import UnsupportedAudio
from tests.unit.audio_fixtures import mp3, music, open_files, patched, snr_db, truncate, write

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize(("name", "subtype", "container", "least_db"), LOSSLESS)
def test_lossless_formats_come_back(
    name: str, subtype: str, container: str, least_db: float, tmp_path: Path
) -> None:
    audio = music(1.3)
    path = write(tmp_path / name, audio, subtype, container)
    got = decode(path)
    assert (got.sample_rate, got.samples.dtype) == (44100, torch.float32)
    assert snr_db(audio.samples, got.samples) > least_db
    info = probe(path)
    assert (info.sample_rate, info.channels) == (44100, 2)
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


def test_blocks_equal_one_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.opus", music(4.0, 48000), "OPUS", "OGG")
    whole, _ = soundfile.read(path, dtype="float32")
    with open_decoder(path) as decoder:
        blocks = list(decoder.blocks())
    assert len(blocks) >= 4
    assert snr_db(torch.from_numpy(whole.T), torch.cat(blocks, 1)) > 80


@pytest.mark.parametrize("sample_rate", [8000, 11025, 22050, 88200, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channels(sample_rate: int, channels: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", music(0.2, sample_rate, channels))
    with open_decoder(path) as decoder:
        assert (decoder.sample_rate, decoder.source_channels) == (sample_rate, channels)
        samples = torch.cat(list(decoder.blocks()), 1)
    assert samples.shape == (min(channels, 2), sample_rate // 5)


def test_ten_milliseconds_silence_and_an_offset(tmp_path: Path) -> None:
    assert decode(write(tmp_path / "short.flac", music(0.01))).length_samples == 441
    silence = decode(write(tmp_path / "silence.wav", Audio(torch.zeros(1, 500), 8000)))
    assert not silence.samples.any()
    offset = decode(write(tmp_path / "dc.wav", Audio(torch.full((1, 500), 0.25), 8000)))
    assert torch.equal(offset.samples, torch.full((1, 500), 0.25))


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_values_that_are_not_finite_become_silence(subtype: str, tmp_path: Path) -> None:
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
def test_an_mp3_without_its_length_is_decoded_to_its_end(vbr: bool, tmp_path: Path) -> None:
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


def test_all_files_are_closed(tmp_path: Path) -> None:
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
