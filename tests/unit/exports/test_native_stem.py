"""Stem files of Native Instruments, opened by ffprobe, mutagen and stempeg."""

from __future__ import annotations

import json
import subprocess
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from mashup_worker.audio.decode import decode
from mashup_worker.audio.mp4_tags import box, boxes, write_user_data
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import NO_TAGS, SongTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.errors import EngineUnavailable, InvalidInput
from mashup_worker.exports.native_stem import write_native_stem
from tests.unit.audio.test_song_tags import ALL, JPEG
from tests.unit.audio_fixtures import needs_ffmpeg, snr_db, write
from tests.unit.exports.songs import made_song

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.exports.native_stem import Codec

SIX = ("vocals", "drums", "bass", "guitar", "piano", "other")


def probed(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def stem_document(path: Path) -> dict[str, Any]:
    """Return the document of the box `moov.udta.stem`."""
    movie = dict(boxes(path.read_bytes()))[b"moov"]
    user = dict(boxes(movie[8:]))[b"udta"]
    found: dict[str, Any] = json.loads(dict(boxes(user[8:]))[b"stem"][8:])
    return found


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_ffprobe_finds_five_streams_of_which_one_plays(tmp_path: Path, codec: Codec) -> None:
    song = made_song(tmp_path / "song", duration_s=4.0)
    (path,) = write_native_stem(song, tmp_path / "out", codec)
    name = {"aac": "Song.stem.m4a", "alac": "Song ALAC.stem.m4a"}[codec]
    assert [one.name for one in (tmp_path / "out").iterdir()] == [path.name] == [name]
    found = probed(path)
    streams = found["streams"]
    assert [one["codec_name"] for one in streams] == [codec] * 5
    assert [one["disposition"]["default"] for one in streams] == [1, 0, 0, 0, 0]
    assert {(one["sample_rate"], one["channels"]) for one in streams} == {("44100", 2)}
    assert float(found["format"]["duration"]) == pytest.approx(4.0, abs=0.06)
    document = stem_document(path)
    assert [one["name"] for one in document["stems"]] == ["Drums", "Bass", "Other", "Vocals"]
    assert len({one["color"] for one in document["stems"]}) == 4
    assert document["version"] == 1
    effects = document["mastering_dsp"]
    assert [effects[name]["enabled"] for name in ("compressor", "limiter")] == [False, False]


@needs_ffmpeg
def test_stempeg_reads_mix_and_stems(tmp_path: Path) -> None:
    stempeg = pytest.importorskip("stempeg")
    song = made_song(tmp_path / "song", duration_s=4.0)
    (path,) = write_native_stem(song, tmp_path / "out", "alac")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stems, rate = stempeg.read_stems(str(path), sample_rate=22_050)
    assert (stems.shape[0], stems.shape[2], rate) == (5, 2, 22_050)
    for index, name in enumerate(("whole", "drums", "bass", "other", "vocals")):
        wanted = decode(tmp_path / f"song/{name}.wav").samples.numpy().T
        length = min(len(wanted), stems.shape[1])
        error = stems[index, :length] - wanted[:length]
        assert np.square(error).mean() < 1e-4 * np.square(wanted).mean()


@needs_ffmpeg
def test_six_stems_become_four_and_still_add_up(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=3.0, kinds=SIX)
    (path,) = write_native_stem(song, tmp_path / "out", "alac")
    sounds = []
    for index in range(5):
        out = tmp_path / f"{index}.wav"
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", f"0:{index}", str(out)]
        subprocess.run(command, check=True)
        sounds.append(soundfile.read(out, dtype="int16")[0].astype(np.int32))
    assert np.abs(sum(sounds[1:]) - sounds[0]).max() <= 3  # each stream rounds on its own


@needs_ffmpeg
def test_two_stems_leave_the_other_slots_silent(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=2.0, kinds=("vocals", "no_vocals"))
    song = replace(song, file=None)
    (path,) = write_native_stem(song, tmp_path / "out")
    assert len(probed(path)["streams"]) == 5


@needs_ffmpeg
def test_the_first_stream_is_the_mix_for_our_own_decoder(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=3.0)
    mono = Audio(decode(tmp_path / "song/whole.wav").samples[:1], 22_050)
    write(tmp_path / "song/whole.wav", mono)
    (path,) = write_native_stem(song, tmp_path / "out", "alac")
    found = decode(path)
    assert found.channels == 2
    assert snr_db(found.samples[0], found.samples[1]) > 100


@needs_ffmpeg
def test_tags_are_read_by_mutagen_ffprobe_and_ourselves(tmp_path: Path) -> None:
    song = replace(made_song(tmp_path / "song", duration_s=2.0), tags=ALL)
    (path,) = write_native_stem(song, tmp_path / "out")
    assert read_tags(path).tags == ALL
    shown = {name.lower(): text for name, text in probed(path)["format"]["tags"].items()}
    expected = {"title": ALL.title, "artist": ALL.artist, "comment": "8A, 120.00 BPM"}
    expected |= {"initialkey": "Am", "isrc": ALL.isrc, "track": "3/12"}
    assert {name: shown.get(name) for name in expected} == expected
    mutagen = pytest.importorskip("mutagen")
    tags = mutagen.File(path).tags
    assert tags["tmpo"] == [120]
    assert tags["trkn"] == [(3, 12)]
    assert bytes(tags["covr"][0]) == JPEG
    assert bytes(tags["----:com.apple.iTunes:initialkey"][0]) == b"Am"


def test_without_ffmpeg_one_clear_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = made_song(tmp_path / "song", duration_s=2.0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match=r"^native-stem: ffmpeg is not installed; install"):
        write_native_stem(song, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@needs_ffmpeg
def test_a_song_without_stems_is_one_clear_line(tmp_path: Path) -> None:
    song = replace(made_song(tmp_path / "song", duration_s=2.0), tracks=())
    with pytest.raises(InvalidInput, match=r"^Song: no stems, which a stem file needs; "):
        write_native_stem(song, tmp_path / "out")
    single = made_song(tmp_path / "single", duration_s=2.0, kinds=["vocals"])
    with pytest.raises(InvalidInput, match=r"^Song: a single stem; separate all for a stem file$"):
        write_native_stem(single, tmp_path / "out")


def test_user_data_of_a_file_that_begins_with_its_movie_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes(box(b"moov", b"") + box(b"mdat", b"1234"))
    with path.open("r+b") as file, pytest.raises(ValueError, match="not the last"):
        write_user_data(file, NO_TAGS)


def test_user_data_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    sound = box(b"ftyp", b"M4A ") + box(b"mdat", b"1234")
    path.write_bytes(sound + box(b"moov", box(b"mvhd", b"x") + box(b"udta", b"old")))
    with path.open("r+b") as file:
        write_user_data(file, SongTags(title="T"), box(b"stem", b"{}"))
    data = path.read_bytes()
    assert data.startswith(sound)
    assert b"old" not in data
    assert stem_document(path) == {}
