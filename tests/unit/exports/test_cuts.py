"""Click tracks, loops and previews: what is cut out of, or made for, a song."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.analysis.form.result import Loop
from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.click_track import write_click_track
from mashup_worker.exports.loops import cut_loop, write_loops
from mashup_worker.exports.markers import Marker
from mashup_worker.exports.preview import faded, preview_start_s, write_preview
from mashup_worker.exports.song import ExportSong
from tests.unit.audio_fixtures import snr_db, write
from tests.unit.exports.songs import analysis_of, drifting_beats, made_song, steady_beats
from tests.unit.exports.test_wav import chunks_of

if TYPE_CHECKING:
    from pathlib import Path


def onsets(samples: torch.Tensor) -> list[int]:
    """Return the first sample of each click."""
    loud = np.flatnonzero(samples[0].abs().numpy() > 0.2)
    return [int(one) for one in loud[np.concatenate([[True], np.diff(loud) > 2_000])]]


@pytest.mark.parametrize("per_bar", [3, 4])
@pytest.mark.parametrize("drifts", [False, True])
def test_clicks_are_on_the_beats_and_bars_are_louder(
    tmp_path: Path, per_bar: int, drifts: bool
) -> None:
    beats = drifting_beats(20.0) if drifts else steady_beats(120.0, 20.0, 0.3)
    song = made_song(tmp_path, duration_s=20.0, beats=beats, per_bar=per_bar)
    (path,) = write_click_track(song, tmp_path / "out")
    audio = decode(path)
    assert (audio.channels, audio.duration_s) == (1, 20.0)
    found = onsets(audio.samples)
    assert song.tempo_map is not None
    expected = [round(at * 22_050) for at in song.tempo_map.beats_s if 0 <= at < 20.0]
    assert found == expected
    assert {round(at * 22_050) for at in beats} <= set(expected)
    levels = audio.samples[0, found]
    bars = [round(at * 22_050) in [round(one * 22_050) for one in beats[::per_bar]] for at in beats]
    first = expected.index(round(beats[0] * 22_050))
    assert [level > 0.4 for level in levels[first : first + len(bars)].tolist()] == bars


def test_a_song_without_a_beat_has_neither_clicks_nor_loops(tmp_path: Path) -> None:
    song = replace(made_song(tmp_path, duration_s=3.0), analysis=Analysis(3.0), title="Still")
    for make in (write_click_track, write_loops):
        with pytest.raises(InvalidInput, match=r"^Still: no beat was found, which a \w+"):
            make(song, tmp_path)


@pytest.mark.parametrize("per_bar", [3, 4])
def test_loops_last_whole_bars_and_repeat_without_a_click(tmp_path: Path, per_bar: int) -> None:
    song = made_song(tmp_path / "song", duration_s=40.0, per_bar=per_bar, tempo_bpm=121.3)
    paths = write_loops(song, tmp_path)
    names = [path.name for path in paths]
    assert len(set(names)) == len(names) >= 4 * 3
    assert names[0] == "Song vocals 121 BPM bars 2-5.wav"
    bar_samples = per_bar * 60 / 121.3 * 22_050
    for path in paths:
        samples = decode(path).samples
        assert samples.shape[1] == pytest.approx(4 * bar_samples, abs=4)
        mono = samples.mean(dim=0)
        seam = abs(float(mono[0] - mono[-1]))
        assert seam <= 1.5 * float(mono.diff().abs().max())
        assert abs(float(mono[0])) < 0.01
        acid = struct.unpack("<IHHfIHHf", chunks_of(path)[b"acid"])
        assert acid[4] == 4 * per_bar
        assert acid[-1] == pytest.approx(121.3, abs=0.01)
        smpl = chunks_of(path)[b"smpl"]
        assert struct.unpack("<II", smpl[44:52]) == (0, samples.shape[1] - 1)


def test_a_loop_is_blended_into_what_precedes_it() -> None:
    rate = 8_000
    time_s = torch.arange(6 * rate) / rate
    samples = torch.sin(2 * np.pi * 37.3 * time_s)[None]  # no whole periods in a bar
    loop = cut_loop(Audio(samples, rate), 2.0, 4.0)
    assert loop.shape == (1, 2 * rate)
    twice = torch.cat([loop, loop], dim=1)
    steps = twice[0].diff().abs()
    assert steps[2 * rate - 40 : 2 * rate + 40].max() < 0.08  # 0.7 without the blend
    assert abs(float(loop[0, 0])) < 0.03


@pytest.mark.parametrize("start_s", [0.0, 3.9])
def test_loops_at_the_ends_of_the_sound_stay_inside(start_s: float) -> None:
    samples = torch.randn(2, 6 * 8_000, generator=torch.Generator().manual_seed(0))
    assert cut_loop(Audio(samples, 8_000), start_s, start_s + 2.0).shape == (2, 16_000)


def test_sections_begin_the_loops_and_silence_has_none(tmp_path: Path) -> None:
    song = made_song(tmp_path, duration_s=40.0, first_s=0.0)
    drums = decode(tmp_path / "drums.wav")
    drums.samples[:, : 17 * 22_050] = 0
    write(tmp_path / "drums.wav", drums)
    song.__dict__["markers"] = tuple(
        Marker(start_s=at, name="A", kind="section", stop_s=at + 8) for at in (8.0, 24.0)
    )
    found = [path.name.removeprefix("Song ") for path in write_loops(song, tmp_path / "out")]
    assert [name for name in found if name.startswith("drums")] == ["drums 120 BPM bars 13-16.wav"]
    assert len([name for name in found if name.startswith("bass")]) == 2


def test_loops_of_the_analysis_come_first(tmp_path: Path) -> None:
    song = made_song(tmp_path, duration_s=40.0, first_s=0.0, kinds=("drums",))
    assert song.analysis is not None
    loops = (Loop(16.0, 20.0, 2, 0.9), Loop(4.0, 12.0, 4, 0.8))
    found = write_loops(replace(song, analysis=replace(song.analysis, loops=loops)), tmp_path)
    assert [path.stem.partition("BPM ")[2] for path in found] == ["bars 9-10", "bars 3-6"]


def test_loops_of_stems_with_any_name_stay_in_their_folder(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=12.0, kinds=("drums", "bass", "other"))
    names = ("a/../../../b" + "x" * 300 + "1", "a/../../../b" + "x" * 300 + "2", "\udcff\0")
    tracks = tuple(replace(one, name=name) for one, name in zip(song.tracks, names, strict=True))
    found = write_loops(replace(song, tracks=tracks, title="ö" * 300), tmp_path / "out")
    assert len({path.name for path in found}) == len(found) == 3
    assert {path.parent.parent for path in found} == {tmp_path / "out"}


def test_a_song_of_one_bar_has_no_loops(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no 4 bars"):
        write_loops(made_song(tmp_path, duration_s=4.0), tmp_path)


# ----------------------------------------------------------------------------- previews


def song_of(audio: Audio, path: Path, **values: object) -> ExportSong:
    return replace(ExportSong(title="Song", file=write(path, audio)), **values)  # type: ignore[arg-type]


def swell(duration_s: float, loud_s: float) -> Audio:
    """Return a tone that is loud for 30 s from a time."""
    time_s = torch.arange(round(duration_s * 8_000)) / 8_000
    level = 0.1 + 0.5 * ((time_s >= loud_s) & (time_s < loud_s + 30))
    return Audio((level * torch.sin(2 * np.pi * 300 * time_s))[None], 8_000)


def test_a_preview_lasts_30_s_with_fades_and_tags(tmp_path: Path) -> None:
    analysis = analysis_of(steady_beats(120.0, 90.0), 90.0)
    song = song_of(swell(90.0, 40.2), tmp_path / "song.wav", analysis=analysis)
    (path,) = write_preview(song, tmp_path)
    heard = decode(path)
    assert heard.duration_s == pytest.approx(30.0, abs=0.01)
    assert path.name == "Song preview.mp3"
    assert read_tags(path).tags.title == "Song"
    power = heard.samples[0].square().unfold(0, 800, 800).mean(dim=1)
    assert float(power[0]) < 0.2 * float(power[10])
    assert float(power[-1]) < 0.05 * float(power[-40])
    assert all(float(b) < float(a) for a, b in pairwise(power[-22::4]))


def test_previews_begin_at_a_chorus_or_the_loudest_bar(tmp_path: Path) -> None:
    audio = swell(90.0, 40.2)
    analysis = analysis_of(steady_beats(120.0, 90.0), 90.0)
    song = song_of(audio, tmp_path / "song.wav", analysis=analysis)
    assert preview_start_s(song, audio) == pytest.approx(40.0)
    song.__dict__["markers"] = (
        Marker(start_s=10.0, name="Verse", kind="section"),
        Marker(start_s=20.0, name="Chorus", kind="section"),
        Marker(start_s=30.0, name="Chorus", kind="section"),
    )
    assert preview_start_s(song, audio) == 20.0
    song.__dict__["markers"] = (Marker(start_s=80.0, name="Drop", kind="hot cue"),)
    assert preview_start_s(song, audio) == pytest.approx(40.0)


@pytest.mark.parametrize("duration_s", [0.05, 2.0, 29.0])
def test_short_songs_are_their_own_preview(tmp_path: Path, duration_s: float) -> None:
    audio = swell(duration_s, 0.0)
    (path,) = write_preview(song_of(audio, tmp_path / "song.wav"), tmp_path)
    assert decode(path).duration_s == pytest.approx(duration_s, abs=0.02)


def test_the_editor_changes_nothing_between_the_fades() -> None:
    audio = swell(31.0, 0.0)
    middle = faded(audio, 1.0).samples[:, 8_000 : 26 * 8_000]
    assert snr_db(audio.samples[:, 16_000 : 27 * 8_000], middle) > 70


@pytest.mark.parametrize("samples", [1, 8, 80])
def test_a_sound_too_short_for_fades_has_none_or_short_ones(samples: int) -> None:
    audio = Audio(torch.full((2, samples), 0.5), 8_000)
    assert faded(audio, 0.0).samples.shape == (2, samples)
