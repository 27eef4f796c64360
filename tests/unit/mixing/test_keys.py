"""Parsing, transposition and comparison of musical keys."""

from __future__ import annotations

import pytest

from mashup_worker.analysis.keys import KEYS
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import fifths_between, parse_key, semitones_between, transposed


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
