"""Common tempo of songs."""

from __future__ import annotations

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.tempo import find_common_tempo, keep_tempi, share_meter
from tests.unit.mashups import song


@pytest.mark.parametrize("tempo_bpm", [111.2, 120.0, 130.4])
def test_the_first_song_sets_the_tempo(tempo_bpm: float) -> None:
    found = find_common_tempo([song("first"), song("second", tempo_bpm)], None, forced=False)
    assert found.tempo_bpm == 120
    assert not found.notes


@pytest.mark.parametrize(("tempo_bpm", "factor"), [(61.0, 0.5), (236.0, 2.0), (121.0, 1.0)])
def test_half_and_double_time_are_preferred_to_stretching(tempo_bpm: float, factor: float) -> None:
    found = find_common_tempo([song("first"), song("second", tempo_bpm)], None, forced=False)
    assert found.factors == {"first": 1, "second": factor}


@pytest.mark.parametrize("tempo_bpm", [107.0, 139.0, 55.0])
def test_songs_meet_in_the_middle_if_it_bends_none_beyond_the_usual_limit(tempo_bpm: float) -> None:
    pair = [song("first"), song("second", tempo_bpm)]
    found = find_common_tempo(pair, None, forced=False)
    changes = [found.tempo_bpm * found.factors[one.name] / one.grid.tempo_bpm - 1 for one in pair]
    assert 0.03 < max(map(abs, changes)) <= 0.08
    assert changes[0] * changes[1] < 0
    assert any("meet in the middle" in note for note in found.notes)


@pytest.mark.parametrize(
    ("tempo_bpm", "factor", "phrase_bars"),
    [(80.0, 2 / 3, 6), (92.0, 3 / 4, 4), (180.0, 3 / 2, 4), (160.0, 4 / 3, 6)],
)
def test_songs_may_play_two_beats_against_three_or_three_against_four(
    tempo_bpm: float, factor: float, phrase_bars: int
) -> None:
    found = find_common_tempo([song("first"), song("second", tempo_bpm)], None, forced=False)
    assert found.factors["second"] == pytest.approx(factor)
    assert found.phrase_bars == phrase_bars
    assert abs(120 * factor / tempo_bpm - 1) < 0.08
    assert [note for note in found.notes if "beats against" in note]


def test_songs_that_do_not_meet_are_refused_with_the_alternatives() -> None:
    pair = [song("first"), song("second", 145.0)]
    with pytest.raises(InvalidInput) as refused:
        find_common_tempo(pair, None, forced=False)
    words = refused.value.message
    assert words.startswith("second: 145.00 BPM does not meet first at 120.00 BPM within 8%")
    for alternative in ("a song of 111 to 130 BPM", "a sequence", "force it", "131.91 BPM"):
        assert alternative in words
    assert find_common_tempo(pair, None, forced=True).tempo_bpm == pytest.approx(131.91, abs=0.01)


@pytest.mark.parametrize("tempo_bpm", [10**-0.5 * 300, 110.0, 139.0, 145.0, 97.0, 160.0, 199.0])
def test_nothing_is_bent_beyond_the_usual_limit_unless_asked(tempo_bpm: float) -> None:
    pair = [song("first"), song("second", tempo_bpm)]
    for find in (find_common_tempo, keep_tempi):
        try:
            found = find(pair, None, forced=False)
        except InvalidInput:
            continue
        for one in pair:
            played_bpm = found.bpm_of(one.name) * found.factors[one.name]
            assert abs(played_bpm / one.grid.tempo_bpm - 1) <= 0.08 + 1e-9


def test_a_requested_tempo_may_bend_songs_further() -> None:
    pair = [song("first"), song("second", 140.0)]
    found = find_common_tempo(pair, 120.0, forced=False)
    assert found.notes == ("second: plays 14.3% slower than the original",)
    far = [song("first"), song("second", 196.0)]
    with pytest.raises(InvalidInput, match=r"second: 196.00 BPM .* 120.00 BPM, more than 20%"):
        find_common_tempo(far, 120.0, forced=False)
    assert find_common_tempo(far, 120.0, forced=True).tempo_bpm == 120


def test_songs_of_a_sequence_that_do_not_meet_keep_their_tempi() -> None:
    songs = [song("a"), song("b", 61.0), song("c", 80.0), song("d", 84.0), song("e", 122.0)]
    found = keep_tempi(songs, None, forced=False)
    assert [found.bpm_of(one.name) for one in songs] == [120, 120, 80, 80, 122]
    assert found.factors == {"a": 1, "b": 0.5, "c": 1, "d": 1, "e": 1}
    assert [note.split(":")[0] for note in found.notes if "keeps" in note] == ["c", "e"]
    assert keep_tempi(songs[2:4], None, forced=False).own_bpm == {}


def test_bars_of_three_and_four_beats_are_not_combined() -> None:
    with pytest.raises(InvalidInput, match="waltz: 3 beats a bar, but first has 4"):
        find_common_tempo([song("first"), song("waltz", beats_per_bar=3)], None, forced=False)


def test_songs_without_drums_take_the_meter_of_the_first() -> None:
    first, drumless = song("first", drums=range(4)), song("v", beats_per_bar=3, vocals=range(4))
    (_, adapted), notes = share_meter([first, drumless])
    assert adapted.grid.beats_per_bar == 4
    assert [note.partition(":")[0] for note in notes] == ["v"]
    waltz = song("waltz", beats_per_bar=3, drums=range(4))
    assert share_meter([first, waltz]) == ([first, waltz], ())
