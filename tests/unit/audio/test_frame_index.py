"""Frame indexes against the decoder, with false starts of frames and damaged files."""

from __future__ import annotations

import base64
import io
import json
import time
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from mashup_worker.audio import frame_index
from mashup_worker.audio.frame_index import FrameIndex, crc16s, index_frames
from mashup_worker.audio.libsndfile import ForwardOnly
from mashup_worker.audio.player_names import (
    frame_index_beside,
    frame_index_name,
    waveform_beside,
    waveform_name,
)
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 4_096


def encoded(samples: NDArray[Any], rate: int = 44_100, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format="FLAC")
    return file.getvalue()


def noise(length: int, channels: int, level: float = 0.1) -> NDArray[np.float64]:
    return level * np.random.default_rng(3).uniform(-1, 1, (length, channels))


def decoded(data: bytes) -> NDArray[np.float32]:
    """What libsndfile decodes from start to end."""
    with ForwardOnly(io.BytesIO(data)) as file:
        samples, error = file.read_block(1 << 20)
    assert not error
    return np.asarray(samples)


def part(index: FrameIndex, data: bytes, first: int, stop: int) -> bytes:
    """The file of a player: 42 bytes and the frames that it fetched."""
    info = bytearray(index.stream_info)
    info[13] &= 0xF0  # number of samples and digest are unknown
    info[14:] = bytes(20)
    header = b"fLaC\x80\0\0\x22" + bytes(info)
    assert len(header) == 42
    return header + data[index.offsets[first] : index.offsets[stop]]


@pytest.mark.parametrize("length", [1, 100, BLOCK, BLOCK + 1, 10 * BLOCK - 1])
@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [
        (44_100, 2, "PCM_16"),
        (44_100, 1, "PCM_24"),
        (48_000, 6, "PCM_16"),
        (22_050, 2, "PCM_S8"),
        (37_001, 2, "PCM_16"),
    ],
)
def test_every_frame_decodes_alone(rate: int, channels: int, subtype: str, length: int) -> None:
    data = encoded(noise(length, channels), rate, subtype)
    index, whole = index_frames([data]), decoded(data)
    assert (index.sample_rate_hz, index.channels, index.samples) == (rate, channels, length)
    assert index.bits == {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}[subtype]
    frames = len(index.offsets) - 1
    assert frames == -(-length // index.frame_samples)
    assert index.offsets[-1] == len(data)
    for number in range(frames):
        start = number * index.frame_samples
        alone = decoded(part(index, data, number, number + 1))
        assert np.array_equal(alone, whole[start : start + index.frame_samples])
    assert np.array_equal(decoded(part(index, data, 0, frames)), whole)
    joined = b"".join(data[start:stop] for start, stop in pairwise(index.offsets))
    assert data[: index.offsets[0]] + joined == data


@pytest.mark.parametrize("level", [0.0, 1e-4, 1.0], ids=["silence", "quiet", "loud"])
def test_frames_of_any_size_are_found(level: float) -> None:
    samples = noise(40 * BLOCK, 2, level)
    samples[7 * BLOCK : 8 * BLOCK] = noise(BLOCK, 2, 1.0)  # one of another size
    data = encoded(samples)
    index = index_frames([data])
    assert len(index.offsets) == 41
    assert np.array_equal(decoded(part(index, data, 7, 9)), decoded(data)[7 * BLOCK : 9 * BLOCK])


def test_a_song_without_samples_has_no_frames() -> None:
    some = encoded(noise(BLOCK, 2))
    data = part(index_frames([some]), some, 0, 0)
    index = index_frames([data])
    assert (index.samples, index.offsets) == (0, (len(data),))


@pytest.mark.parametrize("size", [1, 41, 5_000, 1 << 20])
def test_blocks_and_windows_do_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(noise(50 * BLOCK, 1))
    expected = index_frames([data])
    monkeypatch.setattr(frame_index, "_WINDOW_BYTES", 20_000)
    assert index_frames(data[at : at + size] for at in range(0, len(data), size)) == expected


def test_metadata_is_skipped() -> None:
    data = encoded(noise(3 * BLOCK, 1))
    cover = b"\xff\xf8" * 500_000  # of a picture
    block = b"\x06" + len(cover).to_bytes(3, "big") + cover
    info = data[:42]
    assert not info[4] & 0x80, "a block follows"
    padded = info + block + data[42:]
    shift = len(block)
    index = index_frames([padded])
    assert index.offsets == tuple(at + shift for at in index_frames([data]).offsets)


def test_starts_of_frames_within_a_frame_do_not_count() -> None:
    """Uncompressed samples that are the header of the next frame, with its CRC."""
    samples = np.random.default_rng(1).integers(-(1 << 15), 1 << 15, 3 * BLOCK, dtype=np.int16)
    plain = encoded(samples)
    index = index_frames([plain])
    header = plain[index.offsets[1] : index.offsets[1] + 6]
    assert header[:2] == b"\xff\xf8"
    for at in (100, 2_000):
        samples[at : at + 3] = np.frombuffer(header, ">i2")
    data = encoded(samples)
    found = index_frames([data])
    assert data.count(header) == 3
    assert found.offsets == index.offsets
    second = decoded(part(found, data, 1, 2))[:, 0] * 2.0**15
    assert np.array_equal(second, samples[BLOCK : 2 * BLOCK])


@pytest.mark.parametrize("at", [0.0, 0.3, 0.99])
def test_damage_is_refused(at: float) -> None:
    data = bytearray(encoded(noise(20 * BLOCK, 2)))
    first = index_frames([bytes(data)]).offsets[0]
    data[first + round(at * (len(data) - first - 1))] ^= 0x10
    with pytest.raises(InvalidInput, match="FLAC: damaged"):
        index_frames([bytes(data)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"fLaC",
        b"RIFF" + bytes(100),
        encoded(noise(9 * BLOCK, 1))[:-1],
        encoded(noise(9 * BLOCK, 1)) + b"TAG" + bytes(125),
        encoded(noise(9 * BLOCK, 1))[:-9_000],
        encoded(noise(9 * BLOCK, 1))[:8] + bytes(34),
    ],
    ids=["empty", "short", "wav", "cut", "tag", "cut by frames", "no block size"],
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="FLAC: "):
        index_frames([data])


def test_a_whole_frame_less_is_noticed() -> None:
    data = encoded(noise(9 * BLOCK, 1))
    with pytest.raises(InvalidInput, match="32768 samples in its frames, 36864 by its header"):
        index_frames([data[: index_frames([data]).offsets[8]]])


def test_hostile_files_cost_little() -> None:
    start = encoded(noise(2 * BLOCK, 1))
    header = start[: index_frames([start]).offsets[0]]
    for filling in (b"\xff\xf8", start[len(header) : len(header) + 6], b"\0"):
        began = time.process_time()
        with pytest.raises(InvalidInput, match="FLAC: damaged"):
            index_frames([start, *[filling * (1 << 16)] * 300])
        assert time.process_time() - began < 10


def test_metadata_of_endless_blocks_costs_little() -> None:
    """Each of the empty blocks would copy the rest of the file."""
    data = encoded(noise(BLOCK, 1))
    began = time.process_time()
    with pytest.raises(InvalidInput, match="metadata is invalid"):
        index_frames([data[:42] + bytes([1, 0, 0, 0]) * (1 << 20) + data[42:]])
    assert time.process_time() - began < 10


@pytest.mark.parametrize("lengths", [[1], [2, 3, 0, 9, 4_097], list(range(60))])
def test_the_crc_equals_the_naive_one(lengths: list[int]) -> None:
    def naive(data: bytes) -> int:
        crc = 0
        for byte in data:
            crc ^= byte << 8
            for _ in range(8):
                crc = (crc << 1 ^ (0x8005 if crc & 0x8000 else 0)) & 0xFFFF
        return crc

    parts = [np.random.default_rng(length).bytes(length) for length in lengths]
    borders = list(accumulate([length + 2 for length in lengths], initial=0))
    # A CRC behind its data, as in a frame, leaves no remainder.
    whole = b"".join(one + naive(one).to_bytes(2, "big") for one in parts)
    assert not crc16s(whole, borders).any()
    padded = b"".join(one + b"\0\0" for one in parts)
    assert crc16s(padded, borders).tolist() == [naive(one) for one in parts]


def test_the_document_is_that_of_players() -> None:
    data = encoded(noise(2 * BLOCK, 2))
    index = index_frames([data])
    assert json.loads(index.as_json()) == {
        "sample_rate_hz": 44_100,
        "channels": 2,
        "bits": 16,
        "samples": 2 * BLOCK,
        "frame_samples": BLOCK,
        "stream_info": base64.b64encode(data[8:42]).decode(),
        "offsets": list(index.offsets),
    }


def test_names_of_files_for_players() -> None:
    waveform, index = "jobs/a.b/1/no_vocals.peaks.json", "jobs/a.b/1/no_vocals.frames.json"
    assert waveform_name("jobs/a.b/1/no_vocals.flac") == waveform
    assert frame_index_name("jobs/a.b/1/no_vocals.flac") == index
    assert waveform_beside(index) == waveform
    assert waveform_beside("jobs/a.b/1/no_vocals.flac") == "jobs/a.b/1/no_vocals.flac"
    assert frame_index_beside(waveform) == index
