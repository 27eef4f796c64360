"""Musical keys: parsing, transposition, and distances on circle of fifths and Camelot wheel."""

from __future__ import annotations

import re

from mashup_worker.analysis.key_names import KEYS, camelot
from mashup_worker.errors import InvalidInput

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
_KEY = re.compile(r"\s*([A-Ga-g])([#b♯♭]?)\s*(major|maj|minor|min|m|)\s*", re.ASCII)
_MINOR_THIRD, _FIFTH = 3, 7


def parse_key(text: str) -> str:
    """Return the normalized name of a key, such as `A minor`, `Am`, `F# major`, `Gb` or `8A`.

    Raises:
        InvalidInput: the text names no key.
    """
    by_camelot = {camelot(key): key for key in KEYS}
    if text.strip().upper() in by_camelot:
        return by_camelot[text.strip().upper()]
    match = _KEY.fullmatch(text)
    if match is None:
        raise InvalidInput(f"key {text!r}: unknown; write it as A minor, F# major, Am or 8A")
    letter, accidental, mode = match.groups()
    tonic = (_NATURALS[letter.upper()] + _ACCIDENTALS[accidental]) % 12
    return KEYS[tonic + (12 if mode in ("minor", "min", "m") else 0)]


def transposed(key: str, semitones: int) -> str:
    """Return a key transposed up."""
    mode, tonic = divmod(KEYS.index(key), 12)
    return KEYS[12 * mode + (tonic + semitones) % 12]


def fifths_between(key: str, other: str) -> int:
    """Return the steps on the circle of fifths between two scales, 0 to 6; 0 for relative keys."""
    steps = _FIFTH * (_relative_major(key) - _relative_major(other)) % 12
    return min(steps, 12 - steps)


def camelot_distance(key: str, other: str) -> int:
    """Return the steps on the Camelot wheel between two keys, 0 to 7.

    Neighbors, at one step, are the keys a fifth away and the relative key.
    """
    return fifths_between(key, other) + (_mode(key) != _mode(other))


def keys_near(key: str, steps: int) -> list[str]:
    """Return the keys within a number of steps on the Camelot wheel, the key itself included."""
    return [other for other in KEYS if camelot_distance(key, other) <= steps]


def semitones_between(key: str, other: str) -> int:
    """Return the smallest transposition from the scale of one key to that of another: -5 to 6."""
    return (_relative_major(other) - _relative_major(key) + 5) % 12 - 5


def _relative_major(key: str) -> int:
    """Return the tonic of the major key with the same scale."""
    mode, tonic = divmod(KEYS.index(key), 12)
    return (tonic + _MINOR_THIRD * mode) % 12


def _mode(key: str) -> int:
    """Return 0 for major, 1 for minor."""
    return KEYS.index(key) // 12
