"""Plans: layers, sequences, keys, levels."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.analysis.keys import KEYS
from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import find_key, moved, semitones_between, steps_between
from mashup_worker.mixing.plan import load_plan
from mashup_worker.mixing.planning.arrangement import bands
from mashup_worker.mixing.planning.harmony import agreement, pitch_classes
from mashup_worker.mixing.planning.levels import decibels, power_between
from mashup_worker.mixing.planning.planner import form_for, plan_layer, plan_sequence
from mashup_worker.mixing.planning.transposition import for_layer, for_sequence
from mashup_worker.mixing.request import MixRequest
from mashup_worker.mixing.song import Levels, MixSong, Part, is_vocal
from mashup_worker.mixing.vibes import VIBES
from tests.unit.mashups import song

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.mixing.plan import Plan

ALL = range(32)


def singer(name: str = "singer", **changes: object) -> MixSong:
    return song(name, bars=32, vocals=range(4, 12), drums=ALL, bass=ALL, other=ALL, **changes)  # type: ignore[arg-type]


def host(name: str = "host", tempo_bpm: float = 120.0) -> MixSong:
    return song(name, tempo_bpm, bars=32, drums=ALL, bass=ALL, other=ALL)


def spans(plan: Plan, source: str) -> list[tuple[float, float]]:
    return [(clip.at_bar, clip.end_bar) for clip in plan.clips if clip.source == source]


def vocals(plan: Plan) -> list[tuple[float, float]]:
    return [(c.at_bar, c.end_bar) for c in plan.clips if is_vocal(plan.sources[c.source].kind)]


@pytest.mark.parametrize("vibe", VIBES)
def test_a_layer_lays_one_voice_over_the_other_song(vibe: str) -> None:
    plan = plan_layer(singer(), [host()], MixRequest(vibe))
    assert {source.song for source in plan.sources.values() if source.kind != "vocals"} == {"host"}
    assert {s.song for s in plan.sources.values() if s.kind == "vocals"} == {"singer"}
    assert plan.sections[0].name == "intro"
    assert plan.sections[-1].name == "outro"
    # All that is sung is sung once, on phrases.
    sung = sum(stop - start for start, stop in vocals(plan))
    assert 8 <= sung <= 8 + 1.5 * len(vocals(plan))
    assert all(section.at_bar % 4 == 0 for section in plan.sections)


def test_an_edited_plan_is_what_was_planned(tmp_path: Path) -> None:
    plan = plan_layer(singer(), [host()], MixRequest())
    (tmp_path / "plan.json").write_text(plan.as_json(), encoding="utf-8")
    assert load_plan(tmp_path / "plan.json") == plan


def test_instruments_play_without_a_gap_and_without_two_at_once() -> None:
    plan = plan_layer(singer(), [host("b"), host("c")], MixRequest(transition="cut"))
    for kind in ("drums", "other"):
        pieces = sorted(span for song in "bc" for span in spans(plan, f"{song}/{kind}"))
        assert pieces[0][0] == 0
        assert pieces[-1][1] == plan.grid.bars
        assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(pieces))


def test_several_hosts_share_the_time() -> None:
    plan = plan_layer(singer(), [host("b"), host("c")], MixRequest(vibe="chill"))
    lengths = {
        name: sum(stop - start for start, stop in spans(plan, f"{name}/other")) for name in "bc"
    }
    assert abs(lengths["b"] - lengths["c"]) <= 8


def test_parts_of_different_songs_that_complete_each_other_are_a_band() -> None:
    drums, bass, whole = song("d", drums=ALL), song("b", bass=ALL), host("w")
    assert [[one.name for one in band] for band in bands([drums, bass, whole])] == [
        ["d", "b"],
        ["w"],
    ]
    instrumental = song("i", no_vocals=ALL)
    assert len(bands([drums, instrumental])) == 2
    plan = plan_layer(singer(), [song("d", bars=32, drums=ALL), song("b", bars=32, bass=ALL)],
                      MixRequest(vibe="hype"))  # fmt: skip
    voice = vocals(plan)[0]
    for source in ("d/drums", "b/bass"):
        assert any(
            start <= voice[0] + 1 and stop >= voice[1] - 1 for start, stop in spans(plan, source)
        )


def test_a_vibe_at_full_intensity_is_denser_than_at_rest() -> None:
    def bass_bars(intensity: float) -> float:
        plan = plan_layer(singer(), [host()], MixRequest("ambient", intensity, length_s=120))
        bars = sum(stop - start for start, stop in spans(plan, "host/bass"))
        return bars / plan.grid.bars

    assert bass_bars(1.0) > bass_bars(0.0)


def test_the_table_decides_loudness_and_depths() -> None:
    calm = plan_layer(singer(), [host()], MixRequest("club", 0.0))
    full = plan_layer(singer(), [host()], MixRequest("club", 1.0))
    club = VIBES["club"]
    assert (calm.master.loudness_lufs, full.master.loudness_lufs) == (
        club.loudness_lufs.calm,
        club.loudness_lufs.intense,
    )
    assert (calm.mix.duck_db, full.mix.duck_db) == (club.duck_db.calm, club.duck_db.intense)
    assert plan_layer(singer(), [host()], MixRequest(loudness_lufs=-20)).master.loudness_lufs == -20


@pytest.mark.parametrize("length_s", [20.0, 64.0, 150.0])
def test_a_length_is_kept_to_a_phrase(length_s: float) -> None:
    plan = plan_layer(singer(), [host()], MixRequest(length_s=length_s))
    phrase_s = 4 * plan.grid.bar_s
    assert abs(plan.grid.duration_s - length_s) <= phrase_s / 2 + 1e-6
    off = abs(plan.grid.duration_s - length_s) > 0.5
    assert any("phrases stay whole" in note for note in plan.notes) == off


def test_phrases_that_come_again_are_said() -> None:
    plan = plan_layer(singer(), [host()], MixRequest(length_s=150.0))
    assert any("come again" in note for note in plan.notes)


def test_a_voice_over_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="singer sings over nothing"):
        plan_layer(singer(), [], MixRequest())
    with pytest.raises(InvalidInput, match="acappella has no instruments"):
        plan_layer(singer(), [song("acappella", vocals=ALL)], MixRequest())
    with pytest.raises(InvalidInput, match="host has no vocals"):
        plan_layer(host(), [host("b")], MixRequest())


def test_a_sequence_plays_every_song_with_one_voice_and_one_bass_at_a_time() -> None:
    songs = [
        song(name, bars=32, vocals=ALL, drums=ALL, bass=ALL, other=ALL) for name in ("a", "b", "c")
    ]
    for transition in ("crossfade", "bass_swap", "filter_sweep", "cut"):
        plan = plan_sequence(songs, MixRequest(transition=transition))
        for kind in ("vocals", "bass"):
            pieces = sorted(span for name in "abc" for span in spans(plan, f"{name}/{kind}"))
            assert len(pieces) == 3
            assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(pieces))
        shared = spans(plan, "a/other")[0][1] - spans(plan, "b/other")[0][0]
        assert shared == (0 if transition == "cut" else 4)


def test_the_form_follows_from_who_sings() -> None:
    assert form_for([singer(), host()]) == "layer"
    assert form_for([singer("a"), singer("b")]) == "sequence"
    assert form_for([host("a"), host("b")]) == "sequence"


@pytest.mark.parametrize("quiet", [0.1, 1.0, 8.0])
def test_voices_lie_above_what_accompanies_them_however_they_came(quiet: float) -> None:
    loud = singer()
    voice = loud.parts["vocals"]
    audio = Audio(quiet * voice.audio.samples, voice.audio.rate_hz)
    parts = {**loud.parts, "vocals": replace(voice, audio=audio, levels=Levels.of(audio))}
    faint = replace(loud, parts=parts)
    other = host()
    plan = plan_layer(faint, [other], MixRequest("hype"))
    by_name = {"singer": faint, "host": other}
    voice_clips = [clip for clip in plan.clips if clip.source == "singer/vocals"]
    rest = [clip for clip in plan.clips if clip.source != "singer/vocals"]
    span = voice_clips[0].at_bar + 1, voice_clips[0].end_bar - 1
    lift = decibels(power_between(voice_clips, by_name, span)) - decibels(
        power_between(rest, by_name, span)
    )
    assert lift == pytest.approx(VIBES["hype"].vocal_lift_lu.at(0.5), abs=0.7)


def test_gains_rise_where_few_play_so_that_no_splice_jumps() -> None:
    plan = plan_layer(singer(), [host()], MixRequest("ambient", 0.0))
    intro = [clip for clip in plan.clips if clip.at_bar == 0]
    rides = [a for clip in intro for a in clip.automation if a.parameter == "gain_db"]
    assert rides
    assert rides[0].points[0][1] > 1


@pytest.mark.parametrize(
    ("written", "key"),
    [("A minor", "A minor"), ("am", "A minor"), ("8A", "A minor"), ("F#", "F# major"),
     ("Gb major", "F# major"), ("c♯m", "C# minor"), (" 8b ", "C major"), ("Bbm", "Bb minor")],
)  # fmt: skip
def test_keys_are_read_as_people_write_them(written: str, key: str) -> None:
    assert find_key(written) == key


@pytest.mark.parametrize("written", ["H", "A moll", "13A", "", "minor"])
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="key"):
        find_key(written)


def test_keys_move_and_are_compared() -> None:
    assert moved("A minor", 3) == "C minor"
    assert (steps_between("A minor", "C major"), steps_between("A minor", "E minor")) == (0, 1)
    assert steps_between("C major", "F# major") == 6
    assert semitones_between("A minor", "G minor") == -2
    for key in KEYS:
        assert steps_between(moved(key, semitones_between(key, "A minor")), "A minor") == 0


def chord(pitches: tuple[int, ...], seconds: float = 16.0) -> Audio:
    rate_hz = 11_025
    at = torch.arange(round(seconds * rate_hz)) / rate_hz
    sound = sum(torch.sin(2 * torch.pi * 440 * 2 ** ((p - 69) / 12) * at) for p in pitches)
    return Audio(0.1 * torch.as_tensor(sound)[None], rate_hz)


def pitched(name: str, kind: str, pitches: tuple[int, ...], key: str | None) -> MixSong:
    audio = chord(pitches)
    return replace(
        song(name, drums=range(16)),
        analysis=Analysis(audio.duration_s, key=key),
        parts={
            kind: Part(kind, song(name, drums=ALL).parts["drums"].path, "", audio, Levels.of(audio))
        },
    )


@pytest.mark.parametrize("apart", range(-4, 5))
def test_voice_and_host_meet_within_two_semitones_each(apart: int) -> None:
    voice = pitched("v", "vocals", (60, 64, 67, 71, 74), "C major")
    backing = pitched("h", "other", tuple(p - 12 + apart for p in (60, 64, 67, 71, 74)), None)
    moves = for_layer(voice, [backing], None, forced=False)
    assert moves.semitones["v"] - moves.semitones["h"] == apart
    assert max(map(abs, moves.semitones.values())) <= 2


def test_pitch_classes_agree_at_the_rotation_that_joins_them() -> None:
    a, b = pitch_classes([chord((60, 64, 67))]), pitch_classes([chord((63, 67, 70))])
    assert agreement(a, b).best_rotation == 3
    assert agreement(b, a).best_shift == -3
    silent = pitch_classes([Audio(torch.zeros(1, 11_025), 11_025)])
    assert not agreement(a, silent).is_known


def test_a_key_that_is_asked_for_is_come_to_and_far_ones_are_noted() -> None:
    voice = pitched("v", "vocals", (60, 64, 67), "C major")
    backing = pitched("h", "other", (48, 52, 55), "C major")
    moves = for_layer(voice, [backing], "E major", forced=False)
    assert moves.semitones == {"v": 4, "h": 4}
    assert any("will sound like it" in note for note in moves.notes)
    with pytest.raises(InvalidInput, match="half an octave"):
        for_layer(voice, [backing], "F# major", forced=False)


def test_songs_in_a_row_come_next_to_each_other_on_the_circle_of_fifths() -> None:
    keys = ["A minor", "F minor", "D minor", None, "Db major"]
    songs = [
        replace(song(f"s{index}", drums=ALL), analysis=Analysis(1.0, key=key))
        for index, key in enumerate(keys)
    ]
    moves = for_sequence(songs, None, forced=False)
    assert moves.semitones["s0"] == 0
    assert moves.semitones["s3"] == 0
    now = [moved(key, moves.semitones[f"s{index}"]) for index, key in enumerate(keys) if key]
    assert all(steps_between(a, b) <= 1 for a, b in itertools.pairwise(now))
