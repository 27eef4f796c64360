"""Projects for DAWs: documents, positions to the sample, and a round trip through a small DAW."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from mashup_worker.analysis.form.result import Section
from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import SongTags
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.dawproject.curves import kept_points
from mashup_worker.exports.dawproject.write import write_dawproject
from mashup_worker.exports.song import ExportSong
from mashup_worker.mixing.plan_document import parse_plan
from mashup_worker.pipelines.mashup.make import render_mix
from tests.unit.audio_fixtures import snr_db
from tests.unit.exports.daw import Daw
from tests.unit.exports.dawproject_schema import check_document
from tests.unit.exports.songs import analysis_of, drifting_beats, made_song, steady_beats
from tests.unit.music import hat, kick, placed, tone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from xml.etree import ElementTree as ET

    from mashup_worker.mixing.plan import Plan

RATE = 44_100
TAGS = SongTags(title="Night & Day", artist="One", date="2024-05-31")

# ----------------------------------------------------------------------------- songs


@pytest.mark.parametrize("signature", ["4/4", "3/4", "6/8"])
@pytest.mark.parametrize("drifts", [False, True])
def test_a_song_has_a_track_for_each_stem_at_the_sample(
    tmp_path: Path, signature: str, drifts: bool
) -> None:
    per_bar = {"4/4": 4, "3/4": 3, "6/8": 2}[signature]
    beats = drifting_beats(20.0) if drifts else steady_beats(121.3, 20.0, 0.7)
    song = made_song(tmp_path / "song", duration_s=20.0, beats=beats)
    sections = (Section(beats[0], beats[8], "A", 0.9, "intro", 0.9),)
    analysis = analysis_of(
        beats, 20.0, per_bar=per_bar, time_signature=signature, sections=sections
    )
    (path,) = write_dawproject(replace(song, analysis=analysis, tags=TAGS), tmp_path / "out")
    daw = Daw(path)
    lanes = daw.lanes.findall("Lanes")
    names = [one.attrib["name"] for one in daw.top.iter("Track")]
    assert names == ["vocals", "drums", "bass", "other", "Master"]
    assert song.tempo_map is not None
    for lane, track in zip(lanes, song.tracks, strict=True):
        (clip,) = daw.clips(lane, 22_050)
        assert clip.offset == 0
        samples, _ = daw.sounds[clip.path]
        assert np.array_equal(samples.T, track.audio().samples.double().numpy())
        assert clip.stop - clip.start == pytest.approx(len(samples), abs=3)
        first = clip.start
        for beat_s in beats:  # beats of the arrangement are where the audio has them
            quarters = _quarters_at(daw, first / 22_050 + beat_s)
            unit = 1.5 if signature == "6/8" else 1.0
            assert quarters / unit == pytest.approx(round(quarters / unit), abs=2e-3)
    (marker,) = daw.markers
    assert marker[1] == "Intro A"
    assert marker[0] == pytest.approx(first / 22_050 + beats[0], abs=1e-3)
    meter = daw.top.find("Transport/TimeSignature")
    assert meter is not None
    assert f"{meter.attrib['numerator']}/{meter.attrib['denominator']}" == signature
    assert {one.tag: one.text for one in daw.metadata} == {
        "Title": "Night & Day",
        "Artist": "One",
        "Year": "2024",
        "Comment": daw.metadata.findtext("Comment"),
    }


def _quarters_at(daw: Daw, time_s: float) -> float:
    """Return the position of a time by bisection, since a DAW maps the other way."""
    low, high = 0.0, 1_000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if daw.seconds(middle) < time_s else (low, middle)
    return low


def test_an_irregular_bar_changes_the_time_signature(tmp_path: Path) -> None:
    beats = steady_beats(120.0, 20.0)
    downbeats = [beats[k] for k in (0, 4, 8, 11, 15, 19)]
    song = made_song(tmp_path / "song", duration_s=20.0, beats=beats)
    song = replace(song, analysis=analysis_of(beats, 20.0, downbeats=downbeats))
    (path,) = write_dawproject(song, tmp_path)
    points = Daw(path).top.iter("TimeSignaturePoint")
    found = [(float(one.attrib["time"]), one.attrib["numerator"]) for one in points]
    assert found == [(0.0, "4"), (8.0, "3"), (11.0, "4")]


def test_a_song_without_a_beat_is_placed_by_seconds(tmp_path: Path) -> None:
    song = replace(made_song(tmp_path / "song", duration_s=3.0), analysis=Analysis(3.0))
    (path,) = write_dawproject(song, tmp_path)
    daw = Daw(path)
    assert daw.in_seconds
    whole = decode(tmp_path / "song/whole.wav").samples
    assert snr_db(whole, daw.play(whole.shape[1], 22_050)) > 120


def test_odd_names_are_valid_in_xml_and_in_the_archive(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=2.0)
    odd = b"\xff/..\\ <&> \x07".decode(errors="surrogateescape") + "ö" * 300 + " 🎸"
    tracks = tuple(replace(one, name=odd) for one in song.tracks)
    (path,) = write_dawproject(replace(song, tracks=tracks, title=odd), tmp_path / "out")
    daw = Daw(path)
    assert all(name.count("/") == 1 for name in daw.sounds)
    assert len(daw.sounds) == 4


def test_what_cannot_be_exported_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^Night: no stems, which a DAWproject needs; "):
        write_dawproject(ExportSong(title="Night"), tmp_path)
    with pytest.raises(InvalidInput, match=r"^Night: the audio of a/vocals, .* is missing$"):
        write_dawproject(ExportSong(title="Night", plan=plan_of()), tmp_path)


def test_the_same_song_gives_the_same_archive(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=2.0)
    first, second = (write_dawproject(song, tmp_path / name)[0].read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    "change",
    [
        lambda top: top.append(top[0]),
        lambda top: top[0].attrib.pop("version"),
        lambda top: top.find(".//Clip").set("time", "inf"),
        lambda top: top.find(".//Clip").set("id", "id999"),
        lambda top: top.find(".//Volume").set("unit", "gain"),
        lambda top: top.find(".//Channel").set("destination", "nowhere"),
        lambda top: top.find(".//Channel").set("id", top.find(".//Track").get("id")),
    ],
)
def test_the_check_of_documents_finds_what_the_schema_forbids(
    tmp_path: Path, change: Callable[[ET.Element], object]
) -> None:
    (path,) = write_dawproject(made_song(tmp_path / "song", duration_s=2.0), tmp_path)
    top = Daw(path).top
    change(top)
    with pytest.raises(AssertionError):
        check_document(top)


# ----------------------------------------------------------------------------- mashups


def sounds_of(plan: Plan) -> dict[str, Audio]:
    """Return 40 s of notes or strokes on the beats of each source."""
    sounds = {}
    for index, (name, source) in enumerate(plan.sources.items()):
        beats = steady_beats(source.tempo_bpm, 39.0, source.first_downbeat_s)
        if source.kind == "drums":
            part = placed(kick(RATE), beats[::2], 40.0, RATE)
            part += placed(hat(RATE), beats, 40.0, RATE)
        elif source.kind == "vocals":  # phrases with rests
            held = [at for k, at in enumerate(beats) if k % 16 < 10]
            part = placed(tone(60, 0.5, RATE), held, 40.0, RATE)
        else:
            part = placed(tone(40 + 12 * index, 0.45, RATE), beats, 40.0, RATE)
        sounds[name] = Audio(torch.stack([part, 0.6 * part]), RATE)
    return sounds


def source(song: str, kind: str, tempo_bpm: float) -> dict[str, Any]:
    beats = {"tempo_bpm": tempo_bpm, "beats_per_bar": 4, "first_downbeat_s": 0.25}
    return {"path": f"{song}/{kind}.wav", "song": song, "kind": kind, **beats}


def clip(name: str, at: float, bars: float, start: float, **values: Any) -> dict[str, Any]:
    place = {"source": name, "at_bar": at, "bars": bars, "from_bar": start, "source_bars": bars}
    return place | values


def plan_of(**changes: Any) -> Plan:
    """Return a mashup with stretches, transpositions, overlaps, fades, gains and no filters."""
    rise = {"parameter": "gain_db", "points": [[4, -20], [8, 3], [8, 0]]}
    common = {"form": "layer", "vibe": "club", "intensity": 0.5, "transition": "crossfade"}
    return parse_plan(
        {
            **common,
            "grid": {"tempo_bpm": 122.0, "beats_per_bar": 4, "bars": 12},
            "sources": {
                "a/vocals": source("a", "vocals", 118.0),
                "b/drums": source("b", "drums", 122.0),
                "b/bass": source("b", "bass", 122.0),
                "b/other": source("b", "other", 122.0),
            },
            "clips": [
                clip("a/vocals", 0, 4, 1, gain_db=-3.0, semitones=1),
                clip("a/vocals", 4, 6, 6, gain_db=9.5, fade_out_bars=2, semitones=1),
                clip("b/drums", 0, 8, 0, fade_in_bars=1),
                clip("b/drums", 6, 6, 2, fade_in_bars=2, gain_db=-1.5),
                clip("b/bass", 2, 10, 2, gain_db=1.0),
                clip("b/other", 4, 8, 4, automation=[rise], gain_db=-2.0),
            ],
            "sections": [
                {"name": "intro", "at_bar": 0, "bars": 4},
                {"name": "vocals", "at_bar": 4, "bars": 8},
            ],
            "mix": {"vocal_dip_db": 0.0, "duck_db": 3.0},
            **changes,
        }
    )


def played(plan: Plan, tmp_path: Path) -> tuple[Daw, torch.Tensor, torch.Tensor]:
    """Return the opened project, our sum before mastering, and that of the small DAW."""
    sounds = sounds_of(plan)
    song = ExportSong(title="Mashup", plan=plan, sounds=sounds)
    (path,) = write_dawproject(song, tmp_path)
    wanted = render_mix(plan, sounds).mix.samples
    daw = Daw(path)
    return daw, wanted, daw.play(wanted.shape[1], RATE)


@pytest.fixture(scope="module")
def mashup(tmp_path_factory: pytest.TempPathFactory) -> tuple[Daw, torch.Tensor, torch.Tensor]:
    return played(plan_of(), tmp_path_factory.mktemp("mashup"))


def test_a_mashup_sounds_as_our_sum_before_mastering(
    mashup: tuple[Daw, torch.Tensor, torch.Tensor],
) -> None:
    daw, wanted, found = mashup
    assert snr_db(wanted, found) > 60
    names = [one.attrib["name"] for one in daw.top.iter("Track")]
    assert names == [
        "a vocals",
        "a vocals 2",
        "b drums",
        "b drums 2",
        "b bass",
        "b other",
        "Master",
    ]
    assert daw.markers == [(0.0, "intro"), (pytest.approx(4 * 4 * 60 / 122), "vocals")]
    assert not list(daw.top.iter("Band"))


def test_clips_name_their_source_offset_and_stretch(
    mashup: tuple[Daw, torch.Tensor, torch.Tensor],
) -> None:
    daw, _, _ = mashup
    found = [one.attrib["comment"] for one in daw.lanes.iter("Clip")]
    assert found[0].startswith("a/vocals.wav, bars 2 to 6, duration x0.9672, +1 semitones, ")
    assert found[2] == "b/drums.wav, bars 1 to 9, duration x1.0000, +0 semitones, unchanged"


def test_every_clip_plays_its_source_to_the_sample(
    mashup: tuple[Daw, torch.Tensor, torch.Tensor],
) -> None:
    daw, plan = mashup[0], plan_of()
    sounds, found = sounds_of(plan), 0
    for row in daw.lanes.findall("Lanes"):
        for played_clip, one in zip(row.iter("Clip"), daw.clips(row, RATE), strict=True):
            name = played_clip.attrib["name"].replace(" ", "/")
            if name == "a/vocals":  # stretched
                continue
            samples, _ = daw.sounds[one.path]
            planned = next(
                k for k in plan.clips
                if k.source == name and abs(plan.grid.sample_at(k.end_bar, RATE) - one.stop) < 1
            )  # fmt: skip
            lead = plan.grid.sample_at(planned.at_bar, RATE) - one.start
            first = round(plan.sources[name].grid.time_at(planned.from_bar) * RATE) - lead
            length = min(len(samples) - one.offset, one.stop - one.start)
            original = sounds[name].samples[:, max(0, first) : first + length].T.numpy()
            cut = samples[one.offset + max(0, -first) : one.offset + length]
            boost = np.abs(cut).max() / np.abs(original).max()
            assert np.abs(cut / boost - original).max() < 2**-21
            found += 1
    assert found == 4


def test_sources_of_like_names_keep_their_own_audio(tmp_path: Path) -> None:
    names = ("a/drums", "a_drums", "A_drums")
    sources = {name: source("a", "drums", 122.0) for name in names}
    plan = plan_of(sources=sources, clips=[clip(name, 0, 1, 0) for name in names], sections=[])
    sounds = {name: Audio(0.1 * k * torch.ones(2, 4 * RATE), RATE) for k, name in enumerate(names)}
    (path,) = write_dawproject(ExportSong(title="M", plan=plan, sounds=sounds), tmp_path)
    levels = [samples.max() for samples, _ in Daw(path).sounds.values()]
    assert levels == pytest.approx([0.0, 0.1, 0.2], abs=1e-3)


def test_a_change_of_tempo_moves_the_arrangement(tmp_path: Path) -> None:
    grid = {"tempo_bpm": 122.0, "beats_per_bar": 4, "bars": 12, "tempo_changes": [[4, 128.0]]}
    clips = [
        clip("b/drums", 0, 4, 0),
        clip("b/drums", 4, 8, 4),
        clip("a/vocals", 4, 6, 2, fade_in_bars=1),
    ]
    daw, wanted, found = played(plan_of(grid=grid, clips=clips), tmp_path)
    assert [bpm for _, bpm in daw.tempi] == [122.0, 128.0]
    assert snr_db(wanted, found) > 60


def test_filters_are_bands_of_an_equalizer(tmp_path: Path) -> None:
    sweep = {"parameter": "low_pass_hz", "points": [[4, 300], [8, 20_000]]}
    swap = {"parameter": "bass_db", "points": [[4, -24], [8, -24], [8, 0]]}
    rumble = {"parameter": "high_pass_hz", "points": [[2, 400], [6, 30]]}
    clips = [
        clip("a/vocals", 0, 8, 1),
        clip("b/bass", 2, 10, 2, automation=[rumble]),
        clip("b/other", 4, 8, 4, automation=[sweep, swap]),
        clip("b/drums", 0, 12, 0),
    ]
    plan = plan_of(clips=clips, mix={"vocal_dip_db": 4.0, "duck_db": 3.0})
    daw, wanted, found = played(plan, tmp_path)
    kinds = [[one.attrib["type"] for one in track.iter("Band")] for track in daw.top.iter("Track")]
    assert kinds == [[], [], ["highPass", "bell"], ["lowShelf", "lowPass", "bell"], []]
    assert snr_db(wanted, found) > 45  # it filters whole tracks, and in another order


def test_the_tone_of_a_vibe_is_a_filter_of_the_master(tmp_path: Path) -> None:
    plan = plan_of(mix={"tone_low_pass_hz": 8_000.0}, clips=[clip("b/drums", 0, 2, 0)])
    daw, _, _ = played(plan, tmp_path)
    master = next(one for one in daw.top.iter("Track") if one.attrib["name"] == "Master")
    frequency = master.find("Channel/Devices/Equalizer/Band/Freq")
    assert frequency is not None
    assert frequency.attrib["value"] == "8000.0"


def test_few_points_keep_a_curve() -> None:
    at = np.arange(20_000.0)
    values = np.where(at < 5_000, at / 5_000, np.cos((at - 5_000) / 4_000))
    kept = kept_points(at, values, 1e-3)
    assert len(kept) < 60
    assert np.abs(np.interp(at, at[kept], values[kept]) - values).max() <= 1e-3
    assert kept_points(at[:2], values[:2], 1.0).tolist() == [0, 1]


def test_a_sweep_in_octaves_is_no_straight_line() -> None:
    at = np.arange(1_000.0)
    values = 100 * 2 ** (at / 125)
    kept = kept_points(at, values, 0.01, in_octaves=True)
    lines = np.interp(at, at[kept], values[kept])
    assert 10 < len(kept) < 60
    assert np.abs(np.log2(lines / values)).max() <= 0.01
