"""Plans of layers and sequences."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan_document import format_plan, load_plan
from mashup_worker.mixing.planning.arrangement import group_bands
from mashup_worker.mixing.planning.planner import (
    choose_form,
    plan_layer,
    plan_mashup,
    plan_sequence,
)
from mashup_worker.mixing.request import MixRequest
from mashup_worker.mixing.song import is_vocal
from mashup_worker.mixing.vibes import VIBES
from mashup_worker.vocabulary import TRANSITIONS
from tests.unit.mashups import song
from tests.unit.mixing.planning.songs import ALL, backing_song, spans, vocal_song

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.mixing.plan import Plan
    from mashup_worker.vocabulary import FormName, TransitionName


def vocals(plan: Plan) -> list[tuple[float, float]]:
    return [(c.at_bar, c.end_bar) for c in plan.clips if is_vocal(plan.sources[c.source].kind)]


@pytest.mark.parametrize("vibe", VIBES)
def test_a_layer_has_vocals_of_one_song_and_instruments_of_another(vibe: str) -> None:
    plan = plan_layer(vocal_song(), [backing_song()], MixRequest(vibe=vibe))
    assert {source.song for source in plan.sources.values() if source.kind != "vocals"} == {"band"}
    assert {s.song for s in plan.sources.values() if s.kind == "vocals"} == {"lead"}
    assert plan.sections[0].name == "intro"
    assert plan.sections[-1].name == "outro"
    # All sung bars play once, with upbeats and final tones.
    sung = sum(stop - start for start, stop in vocals(plan))
    assert 8 <= sung <= 8 + 1.5 * len(vocals(plan))
    assert all(section.at_bar % 4 == 0 for section in plan.sections)


def test_a_plan_survives_a_round_trip(tmp_path: Path) -> None:
    plan = plan_layer(vocal_song(), [backing_song()], MixRequest())
    (tmp_path / "plan.json").write_text(format_plan(plan), encoding="utf-8")
    assert load_plan(tmp_path / "plan.json") == plan


def test_instruments_play_without_gaps_and_without_overlap() -> None:
    backing = [backing_song("b"), backing_song("c")]
    plan = plan_layer(vocal_song(), backing, MixRequest(transition="cut"))
    for kind in ("drums", "other"):
        pieces = sorted(span for name in "bc" for span in spans(plan, f"{name}/{kind}"))
        assert pieces[0][0] == 0
        assert pieces[-1][1] == plan.grid.bars
        assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(pieces))


def test_a_song_follows_itself() -> None:
    plan = plan_mashup([vocal_song("a"), vocal_song("a (2)")], MixRequest(vibe="club"))
    assert plan.form == "sequence"
    assert [section.name for section in plan.sections] == ["a", "a (2)"]
    first, second = (spans(plan, f"{name}/drums") for name in ("a", "a (2)"))
    assert first[0][0] == 0
    assert second[-1][1] == plan.grid.bars
    assert abs(first[-1][1] - plan.grid.bars / 2) <= 4


def test_several_backing_songs_share_the_time() -> None:
    backing = [backing_song("b"), backing_song("c")]
    plan = plan_layer(vocal_song(), backing, MixRequest(vibe="chill"))
    lengths = {
        name: sum(stop - start for start, stop in spans(plan, f"{name}/other")) for name in "bc"
    }
    assert abs(lengths["b"] - lengths["c"]) <= 8


def test_songs_whose_instruments_complement_each_other_play_together() -> None:
    drums, bass, whole = song("d", drums=ALL), song("b", bass=ALL), backing_song("w")
    bands = group_bands([drums, bass, whole])
    assert [[one.name for one in band] for band in bands] == [["d", "b"], ["w"]]
    assert len(group_bands([drums, song("i", no_vocals=ALL)])) == 2
    band = [song("d", bars=32, drums=ALL), song("b", bars=32, bass=ALL)]
    plan = plan_layer(vocal_song(), band, MixRequest(vibe="hype"))
    start, stop = vocals(plan)[0]
    for source in ("d/drums", "b/bass"):
        assert any(first <= start + 1 and last >= stop - 1 for first, last in spans(plan, source))


def test_a_higher_intensity_has_more_instruments() -> None:
    def bass_share(intensity: float) -> float:
        request = MixRequest(vibe="ambient", intensity=intensity, length_s=120)
        plan = plan_layer(vocal_song(), [backing_song()], request)
        return sum(stop - start for start, stop in spans(plan, "band/bass")) / plan.grid.bars

    assert bass_share(1.0) > bass_share(0.0)


def test_loudness_and_ducking_come_from_the_vibe() -> None:
    calm, intense = (
        plan_layer(vocal_song(), [backing_song()], MixRequest(vibe="club", intensity=intensity))
        for intensity in (0.0, 1.0)
    )
    club = VIBES["club"]
    assert calm.master.loudness_lufs == club.loudness_lufs.calm
    assert intense.master.loudness_lufs == club.loudness_lufs.intense
    assert (calm.mix.duck_db, intense.mix.duck_db) == (club.duck_db.calm, club.duck_db.intense)
    quiet = plan_layer(vocal_song(), [backing_song()], MixRequest(loudness_lufs=-20))
    assert quiet.master.loudness_lufs == -20


def test_a_given_transposition_is_planned() -> None:
    given = {"lead": 1, "band": -2}
    plan = plan_mashup([vocal_song(), backing_song()], MixRequest(), form="layer", semitones=given)
    shifts = {plan.sources[c.source].kind: c.semitones for c in plan.clips}
    assert (shifts["vocals"], shifts["other"], shifts["drums"]) == (1, -2, 0)


def test_a_plan_names_the_settings_that_were_requested() -> None:
    assert plan_layer(vocal_song(), [backing_song()], MixRequest()).requested == ()
    request = MixRequest(key="A minor", loudness_lufs=-10.5)
    plans = [
        plan_layer(vocal_song(), [backing_song()], request),
        plan_sequence([vocal_song()], request),
    ]
    assert [plan.requested for plan in plans] == [("key", "loudness")] * 2


@pytest.mark.parametrize("length_s", [20.0, 64.0, 150.0])
def test_the_requested_length_is_met_within_half_a_phrase(length_s: float) -> None:
    plan = plan_layer(vocal_song(), [backing_song()], MixRequest(length_s=length_s))
    phrase_s = 4 * plan.grid.spans[0].bar_s
    assert abs(plan.grid.duration_s - length_s) <= phrase_s / 2 + 1e-6
    off = abs(plan.grid.duration_s - length_s) > 0.5
    assert any("phrases are not cut" in note for note in plan.notes) == off


def test_repeated_phrases_are_noted() -> None:
    plan = plan_layer(vocal_song(), [backing_song()], MixRequest(length_s=150.0))
    assert any("repeat" in note for note in plan.notes)


def test_a_layer_without_vocals_or_instruments_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lead: no backing song"):
        plan_layer(vocal_song(), [], MixRequest())
    with pytest.raises(InvalidInput, match="acappella: no instruments"):
        plan_layer(vocal_song(), [song("acappella", vocals=ALL)], MixRequest())
    with pytest.raises(InvalidInput, match="band: no vocals"):
        plan_layer(backing_song(), [backing_song("b")], MixRequest())


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_a_sequence_has_one_vocal_and_one_bass_at_a_time(transition: TransitionName) -> None:
    songs = [vocal_song(name) for name in "abc"]
    plan = plan_sequence(songs, MixRequest(transition=transition))
    for kind in ("vocals", "bass"):
        pieces = sorted(span for name in "abc" for span in spans(plan, f"{name}/{kind}"))
        assert len(pieces) == 3
        assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(pieces))
    shared = spans(plan, "a/other")[0][1] - spans(plan, "b/other")[0][0]
    assert shared == (0 if transition == "cut" else 4)


def test_songs_of_a_sequence_that_do_not_meet_change_with_the_tempo() -> None:
    slow = song("slow", 80.0, bars=32, vocals=ALL, drums=ALL, bass=ALL, other=ALL)
    plan = plan_sequence([vocal_song("a"), slow], MixRequest(transition="crossfade"))
    ((bar, tempo_bpm),) = plan.grid.tempo_changes
    assert (plan.grid.tempo_bpm, tempo_bpm) == (120, 80)
    assert {clip.stretch_ratio for clip in plan.clips} == {1.0}
    assert {stop for _, stop in spans(plan, "a/drums")} == {bar}
    assert {start for start, _ in spans(plan, "slow/drums")} == {bar}
    assert plan.grid.duration_s == pytest.approx(2 * bar + 3 * (plan.grid.bars - bar))


def test_phrases_of_a_layer_in_cross_rhythm_have_whole_bars_of_both_songs() -> None:
    slow = song("slow", 80.0, bars=32, vocals=range(4, 16))
    plan = plan_layer(slow, [backing_song()], MixRequest())
    sung = [clip for clip in plan.clips if clip.source == "slow/vocals"]
    assert {clip.stretch_ratio for clip in sung} == {1.0}
    for clip in sung:  # in which a pickup may come first
        aligned = clip.from_bar - clip.at_bar * 2 / 3
        assert aligned == pytest.approx(round(aligned))
    assert all(section.at_bar % 6 == 0 for section in plan.sections)


def test_one_song_with_vocals_among_others_makes_a_layer() -> None:
    assert choose_form([vocal_song(), backing_song()]) == "layer"
    assert choose_form([vocal_song()]) == "sequence"
    assert choose_form([vocal_song("a"), vocal_song("b")]) == "sequence"
    assert choose_form([backing_song("a"), backing_song("b")]) == "sequence"


@pytest.mark.parametrize(
    ("form", "vocals_first", "expected"),
    [
        (None, False, "sequence"),
        (None, True, "layer"),
        ("layer", False, "layer"),
        ("sequence", True, "sequence"),
    ],
)
def test_a_requested_form_replaces_the_chosen_one(
    form: FormName | None, vocals_first: bool, expected: str
) -> None:
    songs = [vocal_song("a"), vocal_song("b")]
    plan = plan_mashup(songs, MixRequest(), form=form, vocals_first=vocals_first)
    assert plan.form == expected


def test_a_chosen_layer_takes_its_tempo_from_the_song_with_drums() -> None:
    bass = song("bass", 118.0, bars=32, bass=ALL)
    drums = song("drums", 122.0, bars=32, drums=ALL)
    plan = plan_mashup([bass, song("lead", bars=32, vocals=ALL), drums], MixRequest())
    assert (plan.form, plan.grid.tempo_bpm) == ("layer", 122)


def test_a_single_song_can_be_layered_over_its_own_instruments() -> None:
    plan = plan_mashup([vocal_song()], MixRequest(), form="layer")
    assert {source.song for source in plan.sources.values()} == {"lead"}


def test_a_layer_of_songs_without_vocals_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no song has vocals"):
        plan_mashup([backing_song("a"), backing_song("b")], MixRequest(), form="layer")
