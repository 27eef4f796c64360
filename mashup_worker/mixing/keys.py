"""Keys by name: read from what people write, moved, and compared on the circle of fifths."""

from __future__ import annotations

import re

from mashup_worker.analysis.keys import KEYS, camelot
from mashup_worker.errors import InvalidInput

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
_WRITTEN = re.compile(r"\s*([A-Ga-g])([#b♯♭]?)\s*(major|maj|minor|min|m|)\s*", re.ASCII)
_MINOR_THIRD, _FIFTH = 3, 7


def find_key(written: str) -> str:
    """The name of a key as this project spells it.

    Args:
        written: such as `A minor`, `Am`, `F# major`, `Gb` or `8A`.

    Raises:
        InvalidInput: no key is written so.
    """
    by_camelot = {camelot(key): key for key in KEYS}
    if written.strip().upper() in by_camelot:
        return by_camelot[written.strip().upper()]
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise InvalidInput(f"key {written!r}: write it as A minor, F# major, Am or 8A")
    letter, sign, mode = match.groups()
    tonic = (_NATURALS[letter.upper()] + _SIGNS[sign]) % 12
    return KEYS[tonic + (12 if mode in ("minor", "min", "m") else 0)]


def moved(key: str, semitones: int) -> str:
    """The key, so many semitones higher."""
    mode, tonic = divmod(KEYS.index(key), 12)
    return KEYS[12 * mode + (tonic + semitones) % 12]


def steps_between(key: str, other: str) -> int:
    """Steps on the circle of fifths between the scales of two keys: 0 to 6.

    0 for the same key and for relative keys, which share their scale.
    """
    apart = _FIFTH * (_scale(key) - _scale(other)) % 12
    return min(apart, 12 - apart)


def semitones_between(key: str, other: str) -> int:
    """The least semitones that bring a key's scale to that of the other: -5 to 6."""
    return (_scale(other) - _scale(key) + 5) % 12 - 5


def _scale(key: str) -> int:
    """The tonic of the major key that has a key's scale."""
    mode, tonic = divmod(KEYS.index(key), 12)
    return (tonic + _MINOR_THIRD * mode) % 12
