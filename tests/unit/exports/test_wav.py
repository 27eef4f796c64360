"""Chunks of WAV files, read by another reader, and the sound beside them."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.decode import decode
from mashup_worker.exports.markers import Marker
from mashup_worker.exports.song import ExportSong
from mashup_worker.exports.wav_chunks import marker_chunks, root_note, sampler_chunk, write_wav
from tests.unit.exports.songs import made_song

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = (
    Marker(start_s=0.3, name="Intro", kind="section", stop_s=8.3),
    Marker(start_s=8.3, name="Dröp", kind="hot cue"),
    Marker(start_s=99.0, name="Behind the end", kind="hot cue"),
    Marker(start_s=-1.0, name="Before the start", kind="memory cue"),
)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    song = made_song(tmp_path / "song", duration_s=12.0)
    monkeypatch.setitem(song.__dict__, "markers", MARKERS)
    (path,) = write_wav(song, tmp_path / "out")
    return path


def chunks_of(path: Path) -> dict[bytes, bytes]:
    """Return all chunks, by a reader that trusts no size but those of the file."""
    data = path.read_bytes()
    assert (data[:4], data[8:12]) == (b"RIFF", b"WAVE")
    assert len(data) == 8 + int.from_bytes(data[4:8], "little")
    found, at = {}, 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        name = data[at : at + 4]
        found[name + data[at + 8 : at + 12] if name == b"LIST" else name] = data[
            at + 8 : at + 8 + size
        ]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def test_another_reader_finds_markers_and_root_note(written: Path) -> None:
    wavinfo = pytest.importorskip("wavinfo")
    info = wavinfo.WavInfoReader(str(written))
    assert [(one.name, one.sample_offset) for one in info.cues.cues] == [(1, 6_615), (2, 183_015)]
    assert [(one.name, one.length) for one in info.cues.ranges] == [(1, 8 * 22_050)]
    texts = [one.text.encode("latin-1").decode() for one in info.cues.labels]
    assert texts == ["Intro", "Dröp"]
    assert info.smpl.midi_note == 69  # A
    assert info.smpl.sample_period_ns == round(1e9 / 22_050)
    assert info.smpl.sample_loops == []


def test_tempo_and_beats_are_in_the_chunk_of_acid(written: Path) -> None:
    acid = chunks_of(written)[b"acid"]
    flags, root, _, _, beats, denominator, numerator, tempo = struct.unpack("<IHHfIHHf", acid)
    assert (flags, root) == (0x02 | 0x04 | 0x08, 69)
    assert (beats, numerator, denominator) == (24, 4, 4)
    assert tempo == pytest.approx(120.0, abs=1e-3)


def test_the_sound_and_the_tags_are_there_too(written: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(written, dtype="int32")
    whole, _ = soundfile.read(tmp_path / "song/whole.wav", dtype="int32")
    assert rate == 22_050
    assert np.array_equal(samples, whole)
    assert {b"LISTINFO", b"id3 "} <= chunks_of(written).keys()
    with soundfile.SoundFile(written) as file:
        assert file.title == "Song"
        assert file.comment == "8A, 120.00 BPM"
    assert decode(written).length_samples == len(whole)


def test_a_loop_of_a_sampler_ends_with_its_last_sample() -> None:
    chunk = sampler_chunk(44_100, None, range(1_000))
    assert struct.unpack("<I", chunk[36:40]) == (1,)
    assert struct.unpack("<IIIIII", chunk[44:]) == (1, 0, 0, 999, 0, 0)
    assert struct.unpack("<I", chunk[20:24]) == (60,)


@pytest.mark.parametrize(("key", "note"), [("C major", 60), ("C# minor", 61), ("B minor", 71)])
def test_the_root_note_is_the_tonic(key: str, note: int) -> None:
    assert root_note(key) == note


def test_without_markers_there_are_no_chunks_of_markers() -> None:
    assert marker_chunks(MARKERS[2:], 44_100, 44_100) == []


def test_a_song_without_beat_and_key_is_written(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=3.0)
    (path,) = write_wav(replace(song, analysis=Analysis(3.0)), tmp_path)
    assert b"acid" not in chunks_of(path)
    assert decode(path).length_samples == 66_150


def test_stems_alone_are_summed(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=3.0)
    (path,) = write_wav(replace(song, file=None), tmp_path / "sum")
    summed = decode(path).samples.numpy()
    assert np.array_equal(summed, decode(tmp_path / "song/whole.wav").samples.numpy())


@pytest.mark.parametrize(
    "title", ["a/b", "🎧 night", "x" * 300, "ö" * 300, b"\xff\xfe".decode(errors="surrogateescape")]
)
def test_any_title_becomes_a_name(tmp_path: Path, title: str) -> None:
    song = made_song(tmp_path / "song", duration_s=2.0)
    (path,) = write_wav(replace(song, title=title), tmp_path / "out")
    assert path.parent == tmp_path / "out"
    assert len(path.name.encode()) <= 200
    assert path.is_file()


def test_a_song_in_the_same_folder_is_kept(tmp_path: Path) -> None:
    song = made_song(tmp_path, duration_s=2.0, title="whole")
    assert song.file is not None
    before = song.file.read_bytes()
    assert write_wav(song, tmp_path) == [tmp_path / "whole markers.wav"]
    assert song.file.read_bytes() == before


def test_a_song_without_sound_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"^Night: no sound to export; give the song or its stems$"):
        write_wav(ExportSong(title="Night"), tmp_path)
