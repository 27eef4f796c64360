"""Queries are read word by word, and what is not understood is named."""

from __future__ import annotations

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.seed.query import Query, parse_query

DRUMS, VOCALS, NONE = frozenset({"drums"}), frozenset({"vocals"}), frozenset[str]()


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (
            "drums alone for 4 bars at 85-100 BPM",
            Query(kinds=DRUMS, alone=True, bars=4, tempo_bpm=(85.0, 100.0)),
        ),
        ("at 85 to 100 bpm, 4 bars, drums, alone", parse_query("drums alone 4 bars 85-100 bpm")),
        ("vocals in 8A or next to it", Query(kinds=VOCALS, key="A minor", near=True)),
        ("Vocals in A minor or a neighbor", Query(kinds=VOCALS, key="A minor", near=True)),
        ("a voice in Am", Query(kinds=VOCALS, key="A minor")),
        ("loops without voice", Query(loops=True, without=VOCALS)),
        ("drum loops with no vocals", Query(kinds=DRUMS, loops=True, without=VOCALS)),
        ("a chorus in A", Query(roles=frozenset({"chorus"}), key="A major")),
        ("verses or drops in F#", Query(roles=frozenset({"verse", "drop"}), key="F# major")),
        ("an a cappella", Query(kinds=VOCALS, alone=True)),
        ("bass and drums in the break", Query(kinds=frozenset({"bass", "drums"}),
                                              roles=frozenset({"break"}))),
    ],
)  # fmt: skip
def test_words_are_understood(text: str, query: Query) -> None:
    assert parse_query(text) == query


def test_one_tempo_stands_for_those_near_it() -> None:
    assert parse_query("at 100 BPM").tempo_bpm == pytest.approx((98.0, 102.0))


def test_neighbors_are_those_on_the_wheel() -> None:
    assert set(parse_query("in 8A or next to it").keys) == {
        *("A minor", "E minor", "D minor", "C major")
    }
    assert parse_query("in 8A").keys == ["A minor"]
    assert parse_query("drums").keys == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("loud drums", "'loud' is not understood; write vocals"),
        ("drummers", "'drummers' is not understood"),
        ("in 13A", "'13A'"),
        ("in H minor", "'H'"),
        ("", "asks for nothing"),
        ("the", "asks for nothing"),
        ("alone", "needs a stem"),
        ("drums or next to it", "needs a key"),
        ("drums at abc BPM", "'abc' is not understood"),
        ("drums for 99999 bars", "'99999' is not understood"),
        ("  \t", "asks for nothing"),
        (" , ;", "asks for nothing"),
        ("drums without drums", "both with and without drums"),
        ("for 4 bars for 8 bars", "'for 8 bars': bars stated twice"),
        ("at 90 BPM at 91 BPM", "tempo stated twice"),
        ("in 8A in 9A", "key stated twice"),
        ("at 100-85 BPM", "a rising range"),
        ("at 2 BPM", "a rising range"),
        ("for 0 bars", "1 to 1000 bars"),
    ],
)
def test_one_line_says_what_is_wrong(text: str, part: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_query(text)
    assert part in caught.value.message
    assert "\n" not in caught.value.message
