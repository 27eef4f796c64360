"""Plans of songs whose form is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mashup_worker.analysis.form.result import Bar, ChordSpan, Section, SingingInterval
from mashup_worker.analysis.result import Analysis
from mashup_worker.mixing.planning.best_fit import match_chords
from mashup_worker.mixing.planning.chord_agreement import UNKNOWN_AGREEMENT, agreement_at
from mashup_worker.mixing.planning.form_phrases import section_phrases, with_breaks
from mashup_worker.mixing.planning.planner import plan_layer, plan_sequence
from mashup_worker.mixing.planning.song_form import SongForm, chord_vector, song_form
from mashup_worker.mixing.planning.voice_edges import voice_edge
from mashup_worker.mixing.request import MixRequest
from tests.unit.mashups import song

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.form.result import Role
    from mashup_worker.mixing.plan import Clip, Plan
    from mashup_worker.mixing.song import MixSong
    from mashup_worker.vocabulary import FormName

    Parts = Sequence[tuple[Role, int]]

BAR_S = 2.0
QUIET_DB, LOUD_DB = -9.0, 0.0


def formed(
    name: str, parts: Parts, *, chords: Sequence[str] = ("C:maj",), sung: range | None = None
) -> MixSong:
    """A song of sections, given by role and bars, with a chord a bar in turn.

    Choruses and drops are loud; vocals, if any, sing in some bars, without a pause.
    """
    bars = sum(count for _, count in parts)
    roles = [role for role, count in parts for _ in range(count)]
    every = range(bars)
    made = song(name, bars=bars, drums=every, bass=every, other=every, vocals=sung or range(0))
    if sung is None:
        made = replace(made, stems=made.instruments)
    edges = np.cumsum([0, *(count for _, count in parts)]) * BAR_S
    analysis = Analysis(
        duration_s=bars * BAR_S,
        sections=tuple(
            Section(float(edges[index]), float(edges[index + 1]), "ABCDEF"[index], 0.9, role, 0.9)
            for index, (role, _) in enumerate(parts)
        ),
        chords=tuple(
            ChordSpan(bar * BAR_S, (bar + 1) * BAR_S, chords[bar % len(chords)], 0.9)
            for bar in range(bars)
        ),
        chord_method="template",
        singing_known=True,
        singing=()
        if sung is None
        else (SingingInterval(sung.start * BAR_S, sung.stop * BAR_S, 0.9),),
        bars=tuple(
            Bar(bar * BAR_S, 0.5, LOUD_DB if role in ("chorus", "drop") else QUIET_DB)
            for bar, role in enumerate(roles)
        ),
    )
    return replace(made, analysis=analysis)


def chord_up(label: str, semitones: int) -> str:
    """A chord of three tones, moved up."""
    root, _, quality = label.partition(":")
    names = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    return f"{names[(names.index(root) + semitones) % 12]}:{quality}"


def form_of(made: MixSong) -> SongForm:
    form = song_form(made)
    assert form is not None
    return form


def under_the_voice(plan: Plan) -> list[tuple[float, float]]:
    """Bars of the backing under whole bars of the voice, and those of the voice."""
    voices = [clip for clip in plan.clips if clip.source.endswith("/vocals")]
    out = []
    for voice in voices:
        at = np.ceil(voice.at_bar)
        while at + 1 <= voice.end_bar:
            out.append((_bar(next(
                one for one in plan.clips
                if one.source.endswith("band/other") and one.at_bar <= at < one.end_bar
            ), at), _bar(voice, at)))  # fmt: skip
            at += 1
    return out


def _bar(clip: Clip, at: float) -> float:
    return clip.from_bar + at - clip.at_bar


def test_a_chorus_is_sung_over_the_loud_part() -> None:
    lead = formed("lead", [("verse", 8), ("chorus", 8), ("verse", 8)], sung=range(8, 16))
    band = formed("band", [("verse", 16), ("drop", 8), ("verse", 8)])
    plan = plan_layer(lead, [band], MixRequest())
    assert all(16 <= under < 24 for under, _ in under_the_voice(plan))


def test_a_verse_is_sung_over_the_soft_part() -> None:
    lead = formed("lead", [("verse", 8), ("chorus", 8)], sung=range(8))
    band = formed("band", [("drop", 8), ("verse", 16), ("drop", 8)])
    plan = plan_layer(lead, [band], MixRequest())
    assert all(8 <= under < 24 for under, _ in under_the_voice(plan))


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_bars_are_rotated_so_that_the_chords_agree(turn: int) -> None:
    chords = ["C:maj", "D:min", "E:maj", "F#:min"]
    lead = formed("lead", [("verse", 16)], chords=chords, sung=range(4, 16))
    band = formed("band", [("verse", 32)], chords=[*chords[turn:], *chords[:turn]])
    plan = plan_layer(lead, [band], MixRequest())
    shift = {clip.source: clip.semitones for clip in plan.clips}
    assert shift["lead/vocals"] == shift["band/other"]
    pairs = under_the_voice(plan)
    assert pairs
    assert all((under + turn - sung) % 4 == 0 for under, sung in pairs)


def test_sections_are_named_with_their_reasons() -> None:
    lead = formed("lead", [("verse", 8), ("chorus", 8)], sung=range(16))
    band = formed("band", [("verse", 16), ("drop", 16)])
    plan = plan_layer(lead, [band], MixRequest(vibe="hype"))
    names = [section.name for section in plan.sections]
    assert names[0] == "intro"
    assert names[-1] == "outro"
    assert names.index("verse") < names.index("chorus")
    chorus = plan.sections[names.index("chorus")]
    assert "chorus B of lead over drop B of band" in chorus.why
    assert "chords agree by 99%" in chorus.why


def test_a_plan_is_the_same_again() -> None:
    lead = formed("lead", [("verse", 8), ("chorus", 8)], sung=range(16))
    band = formed("band", [("verse", 16), ("drop", 16)])
    assert plan_layer(lead, [band], MixRequest()) == plan_layer(lead, [band], MixRequest())


def test_phrases_begin_where_sections_do() -> None:
    odd = formed("a", [("intro", 2), ("verse", 8), ("break", 3), ("chorus", 8)], sung=range(2, 10))
    phrases = section_phrases(odd, form_of(odd), 1.0, 4)
    assert [one.from_bar for one in phrases] == [2, 6, 13, 17]
    assert section_phrases(odd, None, 1.0, 4)  # equally spaced


def test_breaks_move_to_where_the_song_turns() -> None:
    made = formed("a", [("verse", 12), ("chorus", 8)], sung=range(20))
    phrases = section_phrases(made, form_of(made), 1.0, 4)
    roles = ["intro", *["vocals"] * 2, "break", *["vocals"] * 3, "outro"]
    moved = with_breaks(roles, phrases, form_of(made))
    assert moved == ["intro", *["vocals"] * 3, "break", *["vocals"] * 2, "outro"]
    assert with_breaks(roles, phrases, None) == roles


@pytest.mark.parametrize(
    ("sung_s", "beyond_bars", "is_cut"),
    [
        ((4.0, 8.0), 0.0, False),  # ends at the bar
        ((4.0, 9.0), 0.515, False),  # its final tone fits
        ((8.5, 12.0), 0.0, False),  # begins later
        ((4.0, 14.0), None, True),  # goes on beyond the reach
    ],
)
def test_a_voice_ends_after_its_note(
    sung_s: tuple[float, float], beyond_bars: float | None, is_cut: bool
) -> None:
    made = formed("a", [("verse", 8)], sung=range(8))
    one = replace(made.analysis, singing=(SingingInterval(*sung_s, 0.9),))
    edge = voice_edge(replace(made, analysis=one), "vocals", 4.0, 1, 1.0)
    assert edge.is_cut == is_cut
    if beyond_bars is not None:
        assert edge.beyond_bars == pytest.approx(beyond_bars, abs=1e-3)
    assert -0.5 <= edge.beyond_bars <= 1.0


def test_a_voice_begins_with_its_pickup() -> None:
    made = formed("a", [("verse", 8)], sung=range(8))
    one = replace(made.analysis, singing=(SingingInterval(7.0, 12.0, 0.9),))
    edge = voice_edge(replace(made, analysis=one), "vocals", 4.0, -1, 1.0)
    assert edge.beyond_bars == pytest.approx(0.515, abs=1e-3)
    assert not edge.is_cut


def test_a_voice_is_cut_in_its_breath() -> None:
    made = formed("a", [("verse", 8)], sung=range(8))
    stem = made.stems["vocals"]
    powers = stem.envelope.powers.clone()
    powers[171:174] = 0.0  # a breath at 8.6 s
    breath = replace(stem, envelope=type(stem.envelope)(powers))
    edge = voice_edge(replace(made, stems={**made.stems, "vocals": breath}), "vocals", 4.0, 1, 1.0)
    assert edge.beyond_bars == pytest.approx(0.3, abs=0.05)
    assert not edge.is_cut


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        ("C:maj", {0, 4, 7}),
        ("A:min7", {9, 0, 4}),
        ("F#", {6, 10, 1}),
        ("Bb:7/3", {10, 2, 5}),
        ("B:dim", {11, 2, 5}),
        ("E:sus4(b7)", {4, 8, 11}),
        ("N", set()),
    ],
)
def test_chords_are_read(label: str, classes: set[int]) -> None:
    vector = chord_vector(label)
    assert set(np.flatnonzero(np.zeros(12) if vector is None else vector)) == classes


def test_chords_agree_by_their_shared_tones() -> None:
    def agreement(over: str, under: str, shift: int = 0) -> float:
        lead = form_of(formed("a", [("verse", 4)], chords=[over], sung=range(4)))
        band = form_of(formed("b", [("verse", 4)], chords=[under]))
        return float(agreement_at(lead, (0.0, 4.0), band, np.array([0]), 4, shift)[0])

    same, related, far = (agreement("C:maj", other) for other in ("C:maj", "A:min", "F#:maj"))
    assert same > 0.9
    assert related == pytest.approx(2 / 3, abs=0.05)
    assert far < 0.1
    assert agreement("C:maj", "D:maj", 2) == pytest.approx(same)
    assert agreement("N", "C:maj") == UNKNOWN_AGREEMENT


def test_a_match_names_the_bars_that_fit_best() -> None:
    chords = ["C:maj", "D:min", "E:maj", "F#:min"]
    other = ["G:min", "Eb:maj", "Ab:min", "Bb:maj"]
    lead = formed("lead", [("verse", 16), ("chorus", 16)], chords=chords, sung=range(16, 32))
    band = formed("band", [("verse", 16), ("drop", 16)], chords=other)
    spans = tuple(
        replace(one, label=chord_up(chords[bar % 4], 2)) if 16 <= bar < 32 else one
        for bar, one in enumerate(band.analysis.chords)
    )
    band = replace(band, analysis=replace(band.analysis, chords=spans))
    found = match_chords(lead, band)
    assert found is not None
    assert found.best_shift == 2
    assert found.by_shift[2] == pytest.approx(1, abs=0.01)
    best = found.fits[0]
    assert (best.vocals.first_bar, best.vocals.last_bar) == (17, 32)
    assert (best.backing.first_bar, best.backing.last_bar) == (17, 32)
    assert best.backing.section == band.analysis.sections[1]
    assert best.semitones == 2
    assert best.as_dict()["vocals"]["start_s"] == 32.0


def test_a_match_without_form_has_no_chords() -> None:
    lead = formed("lead", [("verse", 16)], sung=range(16))
    assert match_chords(lead, song("band", drums=range(16), other=range(16))) is None
    silent = formed("band", [("verse", 16)], chords=["N"])
    assert match_chords(lead, silent) is None


@pytest.mark.parametrize("form", ["sequence", "medley"])
def test_songs_change_at_sections(form: FormName) -> None:
    first = formed("a", [("verse", 12), ("chorus", 8), ("verse", 12), ("break", 8)])
    second = formed("b", [("intro", 3), ("verse", 12), ("drop", 8), ("verse", 12)])
    request = MixRequest(transition="cut")
    plan = plan_sequence([first, second], request, form=form)
    assert plan.form == form
    edges = {"a": {0, 12, 20, 32, 40}, "b": {0, 3, 15, 23, 35}}
    for clip in plan.clips:
        name = clip.source.partition("/")[0]
        assert {clip.from_bar, clip.source_end_bar} & edges[name]


def test_a_medley_takes_the_chorus_of_each_song() -> None:
    songs = [
        formed(name, [("verse", 8), ("chorus", 8), ("verse", 8)], sung=range(24)) for name in "abc"
    ]
    plan = plan_sequence(songs, MixRequest(transition="cut"), form="medley")
    assert plan.form == "medley"
    assert {(clip.from_bar, clip.source_bars) for clip in plan.clips} == {(8, 8)}
    assert [section.why for section in plan.sections] == ["chorus B"] * 3
    longer = plan_sequence(songs, MixRequest(transition="cut"))
    assert longer.grid.bars > plan.grid.bars
