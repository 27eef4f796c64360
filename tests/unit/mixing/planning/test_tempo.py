"""Common tempo of songs."""

from __future__ import annotations

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.tempo import find_common_tempo, share_meter
from tests.unit.mashups import song


@pytest.mark.parametrize("tempo_bpm", [110.0, 120.0, 131.0])
def test_the_first_song_sets_the_tempo(tempo_bpm: float) -> None:
    found = find_common_tempo([song("first"), song("second", tempo_bpm)], None, forced=False)
    assert found.tempo_bpm == 120
    assert bool(found.notes) == (abs(120 / tempo_bpm - 1) > 0.08)


@pytest.mark.parametrize(("tempo_bpm", "factor"), [(61.0, 0.5), (236.0, 2.0), (121.0, 1.0)])
def test_half_and_double_time_are_preferred_to_stretching(tempo_bpm: float, factor: float) -> None:
    found = find_common_tempo([song("first"), song("second", tempo_bpm)], None, forced=False)
    assert found.factors == {"first": 1, "second": factor}


def test_songs_beyond_the_limit_meet_at_the_geometric_mean() -> None:
    found = find_common_tempo([song("first", 124.0), song("second", 92.0)], None, forced=False)
    assert found.tempo_bpm == pytest.approx((124 * 92) ** 0.5)
    assert any("meet in the middle" in note for note in found.notes)


def test_a_stretch_beyond_the_limit_is_refused_unless_forced() -> None:
    pair = [song("first", 120.0), song("second", 170.0)]
    with pytest.raises(InvalidInput, match=r"second: 170.00 BPM .* 120.00 BPM, more than 20%"):
        find_common_tempo(pair, 120.0, forced=False)
    assert find_common_tempo(pair, 120.0, forced=True).tempo_bpm == 120


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
