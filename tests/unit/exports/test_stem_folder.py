"""Folders of stems with a MIDI tempo map, which mido reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import mido
import numpy as np
import pytest
import soundfile

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.markers import Marker
from mashup_worker.exports.midi import write_tempo_map
from mashup_worker.exports.song import ExportSong, ExportTrack
from mashup_worker.exports.stem_folder import TEMPO_MAP_NAME, write_stem_folder
from mashup_worker.exports.tempo_map import TempoMap
from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file
from tests.engines import Splitter
from tests.unit.exports.songs import analysis_of, drifting_beats, made_song, steady_beats

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = (
    Marker(start_s=0.3, name="Intro", kind="section", stop_s=8.3),
    Marker(start_s=8.3, name="Dröp", kind="hot cue"),
)


def midi(analysis: Analysis, path: Path) -> tuple[TempoMap, mido.MidiFile]:
    beats = TempoMap.of_analysis(analysis)
    assert beats is not None
    write_tempo_map(path, beats, MARKERS, "Söng")
    return beats, mido.MidiFile(path, charset="utf-8")


def times_of(file: mido.MidiFile, kind: str) -> list[tuple[float, mido.MetaMessage]]:
    """Return the messages of a kind with their times in seconds, as mido plays them."""
    now, found = 0.0, []
    for message in file:
        now += message.time
        if message.type == kind:
            found.append((now, message))
    return found


def beat_times(file: mido.MidiFile, beats: TempoMap) -> np.ndarray:
    """Return the times of beats by the tempi of a file."""
    per_beat = round(file.ticks_per_beat * beats.quarters_per_beat)
    tempi, now = [], 0
    for message in file.tracks[0]:
        now += message.time
        if message.type == "set_tempo":
            tempi.append((now, message.tempo))
    found, at_s = [], 0.0
    for beat in range(len(beats.beats_s)):
        found.append(at_s)
        tempo = [us for at, us in tempi if at <= beat * per_beat][-1]
        at_s += mido.tick2second(per_beat, file.ticks_per_beat, tempo)
    return np.array(found)


@pytest.mark.parametrize("signature", ["4/4", "3/4", "6/8"])
@pytest.mark.parametrize("drifts", [False, True])
def test_the_tempo_map_keeps_every_beat(tmp_path: Path, signature: str, drifts: bool) -> None:
    per_bar = {"4/4": 4, "3/4": 3, "6/8": 2}[signature]
    beats_s = drifting_beats(120.0) if drifts else steady_beats(127.345, 120.0, 0.3)
    analysis = analysis_of(beats_s, 120.0, per_bar=per_bar, time_signature=signature)
    beats, file = midi(analysis, tmp_path / "map.mid")
    played = beat_times(file, beats)
    assert np.abs(played + beats.origin_s - beats.beats_s).max() < 5e-4
    (_, first), *others = times_of(file, "time_signature")
    assert (f"{first.numerator}/{first.denominator}", others) == (signature, [])
    assert file.length == pytest.approx(beats.beats_s[-1] - beats.origin_s, abs=1e-3)


def test_markers_are_at_their_times(tmp_path: Path) -> None:
    beats, file = midi(analysis_of(drifting_beats(20.0), 20.0), tmp_path / "map.mid")
    found = times_of(file, "marker")
    assert [message.text for _, message in found] == ["Intro", "Dröp"]
    for (time_s, _), marker in zip(found, MARKERS, strict=True):
        assert time_s + beats.origin_s == pytest.approx(marker.start_s, abs=1e-3)
    assert file.tracks[0].name == "Söng"


def test_an_irregular_bar_has_a_time_signature(tmp_path: Path) -> None:
    beats_s = steady_beats(120.0, 20.0)
    downbeats = [beats_s[k] for k in (0, 4, 8, 11, 15, 19)]
    _, file = midi(analysis_of(beats_s, 20.0, downbeats=downbeats), tmp_path / "map.mid")
    found = [(at, one.numerator) for at, one in times_of(file, "time_signature")]
    assert found == [(0.0, 4), (pytest.approx(4.0), 3), (pytest.approx(5.5), 4)]


def test_stems_begin_with_bar_1_and_have_one_length(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=12.0, first_s=0.7, tempo_bpm=121.5)
    paths = write_stem_folder(song, tmp_path / "out")
    assert {path.parent.name for path in paths} == {"Song 121.5 BPM"}
    assert [path.name for path in paths] == [
        *(f"{kind}.wav" for kind in ("vocals", "drums", "bass", "other")),
        TEMPO_MAP_NAME,
    ]
    bar = round(4 * 60 / 121.5 * 22_050)
    lengths = set()
    for path, track in zip(paths, song.tracks, strict=False):
        padded, _ = soundfile.read(path, dtype="int32")
        plain, _ = soundfile.read(tmp_path / f"song/{track.name}.wav", dtype="int32")
        lead = len(padded) - len(plain)
        assert not padded[:lead].any()
        assert np.array_equal(padded[lead:], plain)
        first = np.flatnonzero(np.abs(padded[:, 0]) > 1 << 20)[0]
        assert abs(first - bar) < 22
        lengths.add(len(padded))
    assert len(lengths) == 1


def test_stems_that_add_up_to_the_song_still_do(tmp_path: Path) -> None:
    """Phase inversion leaves silence."""
    song = made_song(tmp_path / "song", duration_s=6.0)
    assert song.file is not None
    targets = {kind: tmp_path / f"{kind}.flac" for kind in Splitter.stems}
    request = SeparateRequest(song.file, targets, EncodeOptions("flac", 16), sum_exact=True)
    separate_file(Splitter(0.25), request)
    tracks = tuple(ExportTrack(name=kind, kind=kind, source=path) for kind, path in targets.items())
    *wavs, _ = write_stem_folder(replace(song, tracks=tracks), tmp_path / "out")
    stems = [soundfile.read(path, dtype="int32")[0] >> 16 for path in wavs]
    whole = soundfile.read(song.file, dtype="int16")[0]
    assert np.array_equal(sum(stems)[-len(whole) :], whole)


def test_a_song_without_a_beat_has_no_tempo_in_its_name_and_no_map(tmp_path: Path) -> None:
    song = replace(made_song(tmp_path / "song", duration_s=3.0), analysis=Analysis(3.0))
    paths = write_stem_folder(song, tmp_path / "out")
    assert {path.parent.name for path in paths} == {"Song without tempo"}
    assert TEMPO_MAP_NAME not in {path.name for path in paths}
    assert soundfile.info(paths[0]).duration == 3.0


def test_six_stems_of_different_lengths_and_equal_names_fit(tmp_path: Path) -> None:
    kinds = ("vocals", "drums", "bass", "guitar", "piano", "other")
    song = made_song(tmp_path / "song", duration_s=4.0, kinds=kinds)
    shorter = made_song(tmp_path / "short", duration_s=3.0, kinds=("vocals",)).tracks[0]
    odd = replace(shorter, name="a/b: ö 🎸")
    song = replace(song, tracks=(*song.tracks, shorter, odd))
    paths = write_stem_folder(song, tmp_path / "out")
    names = [path.name for path in paths]
    assert names[6:8] == ["vocals 2.wav", "a_b_ ö 🎸.wav"]
    assert len({soundfile.info(path).frames for path in paths if path.suffix == ".wav"}) == 1


def test_a_song_without_stems_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^Night: no stems, which a stem folder needs; "):
        write_stem_folder(ExportSong(title="Night"), tmp_path)
