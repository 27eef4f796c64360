"""Phrases of songs."""

from __future__ import annotations

from mashup_worker.mixing.planning.phrases import (
    Phrase,
    find_phrases,
    full_phrases,
    fullest_run,
    sung_phrases,
)
from tests.unit.mashups import song


def test_phrases_begin_where_stems_enter_and_leave() -> None:
    shifted = song(bars=18, drums=range(18), bass=range(2, 18), vocals=range(6, 14))
    found = find_phrases(shifted, 1.0)
    assert [one.from_bar for one in found] == [2, 6, 10, 14]
    assert [one.from_bar for one in sung_phrases(shifted, "vocals", found)] == [6, 10]
    assert found[0].leads_to(found[1])


def test_a_phrase_in_half_time_has_twice_the_bars() -> None:
    assert find_phrases(song(drums=range(16)), 2.0) == (Phrase(0, 8), Phrase(8, 8))


def test_a_loop_shorter_than_a_phrase_is_one_phrase() -> None:
    assert find_phrases(song(bars=2, drums=range(2)), 1.0) == (Phrase(0, 2),)


def test_full_phrases_have_drums_and_bass() -> None:
    backing = song(drums=range(4, 16), bass=range(4, 12), other=range(16))
    found = full_phrases(backing, find_phrases(backing, 1.0))
    assert [one.from_bar for one in found] == [4, 8]


def test_the_fullest_run_is_where_most_stems_play() -> None:
    growing = song(drums=range(4, 16), bass=range(8, 16), vocals=range(8, 12))
    found = fullest_run(growing, find_phrases(growing, 1.0), 2)
    assert [one.from_bar for one in found] == [8, 12]
