"""FLAC files whose header is lost, or that start inside a frame."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.decode import open_decoder
from mashup_worker.errors import InvalidInput, UnsupportedAudio

if TYPE_CHECKING:
    from pathlib import Path

FRAME = re.compile(rb"\xff\xf8[\x10-\xef][\x00-\xaf]")
BLOCK_SAMPLES = 4_096


def made(path: Path, sample_rate: int, channels: int, subtype: str = "PCM_16") -> torch.Tensor:
    """Write a second of noise, and return what a reader of the whole file gets."""
    noise = np.random.default_rng(5).standard_normal((sample_rate, channels))
    soundfile.write(path, 0.1 * noise, sample_rate, subtype=subtype)
    return torch.from_numpy(soundfile.read(path, dtype="float32", always_2d=True)[0].T.copy())


def decoded(path: Path) -> tuple[torch.Tensor, tuple[str, ...]]:
    with open_decoder(path) as decoder:
        return torch.cat(list(decoder.blocks()), 1), decoder.warnings


def first_frame_at(data: bytes) -> int:
    found = FRAME.search(data, 42)
    assert found is not None
    return found.start()


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 37_001, 44_100, 96_000, 192_000])
def test_a_lost_header_costs_no_sample(
    tmp_path: Path, sample_rate: int, channels: int, subtype: str
) -> None:
    path = tmp_path / "song.flac"
    whole = made(path, sample_rate, channels, subtype)
    data = path.read_bytes()
    path.write_bytes(data[first_frame_at(data) :])
    samples, warnings = decoded(path)
    assert torch.equal(samples, whole)
    assert warnings == ("the start of the FLAC stream is missing",)


def test_surround_is_folded_as_with_its_header(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    made(path, 48_000, 6)
    wanted, _ = decoded(path)
    data = path.read_bytes()
    path.write_bytes(data[first_frame_at(data) :])
    assert torch.equal(decoded(path)[0], wanted)


@pytest.mark.parametrize("before", [b"", bytes(300_000), b"\xff\xf8\xc9\x18" * 1_000])
def test_a_stream_is_decoded_from_its_first_whole_frame(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "song.flac"
    whole = made(path, 44_100, 2)
    data = path.read_bytes()
    path.write_bytes(before + data[len(data) // 3 :])
    samples, (warning,) = decoded(path)
    cut = whole.shape[1] - samples.shape[1]
    assert cut % BLOCK_SAMPLES == 0
    assert whole.shape[1] // 3 <= cut <= whole.shape[1] // 3 + 2 * BLOCK_SAMPLES
    assert torch.equal(samples, whole[:, cut:])
    assert re.fullmatch(
        r"the start of the FLAC stream is missing; [\d,]+ bytes before its first frame are ignored",
        warning,
    )


def test_frames_with_wrong_checksums_are_no_audio(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    made(path, 44_100, 2)
    data = bytearray(path.read_bytes())
    for frame in FRAME.finditer(bytes(data), 42):
        data[frame.start() + 100] ^= 1
    path.write_bytes(data[len(data) // 3 :])
    with pytest.raises(UnsupportedAudio):
        decoded(path)


@pytest.mark.parametrize("padding", [0, 1, 60, 4_000])
def test_many_false_frames_cost_little(tmp_path: Path, padding: int) -> None:
    path = tmp_path / "song.flac"
    made(path, 44_100, 2)
    data = path.read_bytes()
    at = first_frame_at(data)
    false = data[at : at + 6] + bytes(padding)
    path.write_bytes(b"?" + false * (20_000_000 // len(false)))
    begin_s = time.process_time()
    with pytest.raises(InvalidInput):
        decoded(path)
    assert time.process_time() - begin_s < 10
