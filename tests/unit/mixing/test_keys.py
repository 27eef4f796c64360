"""Parsing, transposition and comparison of musical keys."""

from __future__ import annotations

import pytest

from mashup_worker.analysis.key_names import KEYS, camelot
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import (
    camelot_distance,
    fifths_between,
    keys_near,
    parse_key,
    semitones_between,
    transposed,
)


@pytest.mark.parametrize(
    ("text", "key"),
    [("A minor", "A minor"), ("am", "A minor"), ("8A", "A minor"), ("F#", "F# major"),
     ("Gb major", "F# major"), ("c♯m", "C# minor"), (" 8b ", "C major"), ("Bbm", "Bb minor")],
)  # fmt: skip
def test_common_spellings_are_read(text: str, key: str) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["H", "A moll", "13A", "", "minor"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="key"):
        parse_key(text)


def test_keys_are_transposed_and_compared() -> None:
    assert transposed("A minor", 3) == "C minor"
    assert (fifths_between("A minor", "C major"), fifths_between("A minor", "E minor")) == (0, 1)
    assert fifths_between("C major", "F# major") == 6
    assert semitones_between("A minor", "G minor") == -2
    for key in KEYS:
        same_scale = transposed(key, semitones_between(key, "A minor"))
        assert fifths_between(same_scale, "A minor") == 0


def test_neighbors_on_the_camelot_wheel_are_one_step_away() -> None:
    assert {camelot(key) for key in keys_near("A minor", 1)} == {"8A", "7A", "9A", "8B"}
    assert {camelot(key) for key in keys_near("E major", 1)} == {"12B", "11B", "1B", "12A"}
    for key in KEYS:
        assert keys_near(key, 0) == [key]
        assert len(keys_near(key, 7)) == len(KEYS)
        assert all(camelot_distance(key, other) == camelot_distance(other, key) for other in KEYS)
