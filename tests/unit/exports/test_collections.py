"""Collections of rekordbox, read by pyrekordbox, and playlists: grids, cues, paths."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.song_tags import SongTags
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.collection import check_root, playing_path
from mashup_worker.exports.markers import Marker
from mashup_worker.exports.playlist import write_playlist
from mashup_worker.exports.rekordbox import write_collection
from mashup_worker.exports.song import ExportSong
from tests.unit.exports.songs import analysis_of, drifting_beats, made_song, steady_beats

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARKERS = (
    *(
        Marker(start_s=4.0 * k + 0.3005, name=f"Part {k}", kind="section", stop_s=4.0 * k + 4)
        for k in range(9)
    ),
    Marker(start_s=38.1, name="Mix out", kind="memory cue"),
)


def opened(path: Path) -> Any:
    """Return a collection as pyrekordbox reads it."""
    return pytest.importorskip("pyrekordbox.rbxml").RekordboxXml(path)


def beats_of(track: Any, stop_s: float) -> list[tuple[float, int]]:
    """Return time and number of each beat of a grid, as rekordbox lays them out."""
    found: list[tuple[float, int]] = []
    starts = [one.Inizio for one in track.tempos[1:]]
    for tempo, stop in zip(track.tempos, [*starts, stop_s], strict=True):
        per_bar, step_s = int(tempo.Metro.partition("/")[0]), 60 / tempo.Bpm
        count = round((stop - tempo.Inizio) / step_s)
        found += [
            (tempo.Inizio + k * step_s, (tempo.Battito - 1 + k) % per_bar + 1) for k in range(count)
        ]
    return found


@pytest.mark.parametrize("per_bar", [3, 4])
@pytest.mark.parametrize("kind", ["steady", "drifting", "odd bar"])
def test_grids_are_ours_to_the_millisecond(tmp_path: Path, per_bar: int, kind: str) -> None:
    beats = drifting_beats(40.0) if kind == "drifting" else steady_beats(127.345, 40.0, 0.3)
    bars: Sequence[int] = range(0, len(beats), per_bar)
    if kind == "odd bar":
        bars = [*range(0, 24, per_bar), *range(25, len(beats), per_bar)]
    analysis = analysis_of(beats, 40.0, per_bar=per_bar, downbeats=[beats[k] for k in bars])
    song = replace(made_song(tmp_path / "song", duration_s=40.0), analysis=analysis)
    (path,) = write_collection([song], tmp_path)
    track = opened(path).get_track(0)
    times = dict(beats_of(track, 40.0))
    for index, beat_s in enumerate(beats):
        near = min(times, key=lambda at: abs(at - beat_s))
        assert abs(near - beat_s) <= 1e-3
        assert (times[near] == 1) is (index in bars)
    steps = np.diff(sorted(times))
    assert steps.min() > 0.4


def test_cues_are_ours_to_the_millisecond(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=40.0)
    song.__dict__["markers"] = MARKERS
    (path,) = write_collection([song], tmp_path)
    marks = opened(path).get_track(0).marks
    assert [(one.Name, one.Num) for one in marks] == [
        *((f"Part {k}", k) for k in range(8)),
        ("Part 8", -1),
        ("Mix out", -1),
    ]
    for mark, marker in zip(marks, MARKERS, strict=True):
        assert mark.Type == "cue"
        assert abs(mark.Start - marker.start_s) <= 1e-3


def test_tracks_have_tags_key_and_form(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=8.0)
    tags = SongTags(title='Näme <&> "x"', artist="One; Two", genre="House", date="2024-05-31")
    (path,) = write_collection([replace(song, tags=tags)], tmp_path)
    xml = opened(path)
    assert (xml.frmt_version, xml.product_name, xml.num_tracks) == ("1.0.0", "mashup-worker", 1)
    track = xml.get_track(0)
    assert (track.Name, track.Artist, track.Genre, track.Year) == (
        tags.title,
        tags.artist,
        "House",
        2024,
    )
    assert (track.AverageBpm, track.Tonality, track.Comments) == (120.0, "Am", "8A, 120.00 BPM")
    assert (track.SampleRate, track.TotalTime, track.Kind) == (22_050, 8, "WAV File")
    assert track.Location.lstrip("/") == str(song.file).lstrip("/")
    assert xml.get_playlist("mashup-worker").get_tracks() == [1]


def test_songs_without_tempo_and_key_have_neither(tmp_path: Path) -> None:
    song = replace(made_song(tmp_path / "song", duration_s=3.0), analysis=Analysis(3.0))
    (path,) = write_collection([song], tmp_path)
    track = next(ET.parse(path).iter("TRACK"))
    assert "AverageBpm" not in track.attrib
    assert "Tonality" not in track.attrib
    assert len(track) == 0


ODD = ["a/b.wav", "🎧 & <b>.wav", "#50%? x.wav", "ö" * 120 + ".wav"]


def odd_song(folder: Path, name: bytes) -> ExportSong:
    """Return a song whose file has any name."""
    song = made_song(folder / "made", duration_s=2.0)
    assert song.file is not None
    target = folder / os.fsdecode(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    return replace(song, file=song.file.rename(target), title=target.stem)


@pytest.mark.parametrize("name", [*(one.encode() for one in ODD), b"caf\xe9.wav"])
@pytest.mark.parametrize("root", [None, "/Users/dj/set", "D:\\Music\\set", "C:/m"])
def test_locations_lead_to_any_file(tmp_path: Path, name: bytes, root: str | None) -> None:
    folder = tmp_path / "out"
    song = odd_song(folder / "songs", name)
    (path,) = write_collection([song], folder, root)
    track = next(ET.parse(path).iter("TRACK"))
    location = unquote_to_bytes(track.attrib["Location"])
    there = os.fsencode(folder) if root is None else root.replace("\\", "/").encode()
    assert location == b"file://localhost/" + there.lstrip(b"/") + b"/songs/" + name


@pytest.mark.parametrize("name", [*(one.encode() for one in ODD), b"caf\xe9.wav"])
def test_playlists_lead_to_any_file_also_after_a_move(tmp_path: Path, name: bytes) -> None:
    song = replace(odd_song(tmp_path / "here/songs", name), tags=SongTags(artist="One", title="T"))
    (path,) = write_playlist([song], tmp_path / "here/lists")
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there/lists" / path.name
    head, about, line = moved.read_bytes().splitlines()
    assert (head, about) == (b"#EXTM3U", b"#EXTINF:2,One - T")
    assert (moved.parent / os.fsdecode(line)).is_file()


@pytest.mark.parametrize("root", [None, "."])
@pytest.mark.parametrize("name", ["#1 hit.wav", " lead.wav"])
def test_no_path_of_a_playlist_is_a_comment(tmp_path: Path, name: str, root: str | None) -> None:
    (path,) = write_playlist([odd_song(tmp_path, name.encode())], tmp_path, root)
    assert path.read_text().splitlines()[-1] == f"./{name}"


def test_a_song_without_its_file_is_listed_by_its_stems(tmp_path: Path) -> None:
    song = replace(made_song(tmp_path / "song", duration_s=2.0), file=None)
    (path,) = write_playlist([song], tmp_path, "/music")
    lines = path.read_text().splitlines()
    assert lines[1:3] == ["#EXTINF:2,Song (vocals)", "/music/song/vocals.wav"]
    assert len(lines) == 9


def test_what_cannot_be_listed_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^Night: no file to list; give the song or its stems$"):
        write_collection([ExportSong(title="Night")], tmp_path)
    with pytest.raises(InvalidInput, match=r"its path has a line break; rename the file$"):
        write_playlist([odd_song(tmp_path, b"a\nb.wav")], tmp_path)


@pytest.mark.parametrize(
    ("root", "inside", "beside"),
    [
        ("/Volumes/USB/out", "/Volumes/USB/out/a.mp3", "/Volumes/USB/songs/a.mp3"),
        ("/Volumes/USB/out/", "/Volumes/USB/out/a.mp3", "/Volumes/USB/songs/a.mp3"),
        ("D:\\Music\\out\\", "D:/Music/out/a.mp3", "D:/Music/songs/a.mp3"),
        ("D:/out", "D:/out/a.mp3", "D:/songs/a.mp3"),
        ("D:\\", "D:/a.mp3", None),
        ("D:", "D:/a.mp3", None),
        ("/", "/a.mp3", None),
        ("\\\\nas\\music\\out", "//nas/music/out/a.mp3", "//nas/music/songs/a.mp3"),
        ("\\\\nas\\music", "//nas/music/a.mp3", None),
        ("sets", "sets/a.mp3", "songs/a.mp3"),
        ("", "a.mp3", "../songs/a.mp3"),
    ],
)
def test_paths_outside_the_folder_keep_their_place_beside_it(
    tmp_path: Path, root: str, inside: str, beside: str | None
) -> None:
    folder = tmp_path / "out"
    assert playing_path(folder / "a.mp3", folder, root) == inside
    if beside is not None:
        assert playing_path(tmp_path / "songs/a.mp3", folder, root) == beside
        return
    with pytest.raises(InvalidInput, match=r"/songs/a\.mp3: outside the root .*; export into"):
        playing_path(tmp_path / "songs/a.mp3", folder, root)


def test_locations_in_a_network_keep_their_server(tmp_path: Path) -> None:
    song = made_song(tmp_path / "songs", duration_s=2.0)
    (path,) = write_collection([song], tmp_path, "\\\\nas\\music")
    location = next(ET.parse(path).iter("TRACK")).attrib["Location"]
    assert location == "file://localhost//nas/music/songs/whole.wav"


@pytest.mark.parametrize("root", ["", ".", "Music", "~/Music", "D:", "file:///Music"])
def test_rekordbox_needs_an_absolute_root(root: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^--root {re.escape(root)}: not an absolute path; "):
        check_root(root, ["m3u8", "rekordbox"])
    if "://" not in root:
        check_root(root, ["m3u8"])
    for absolute in ("/Music", "D:\\Music", "D:/", "\\\\nas\\music\\set"):
        check_root(absolute, ["rekordbox"])
