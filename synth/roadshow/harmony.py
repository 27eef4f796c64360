"""Keys, chords and progressions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from synth.tables import read_table

TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
PENTATONIC = {"major": (0, 2, 4, 7, 9), "minor": (0, 3, 5, 7, 10)}

_NUMERAL = re.compile(r"(b?)(#?)([ivIV]+?)(o|h7|h|M7|s2|s4|7|9|6|5)?(?:/([35]))?$")
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}


@dataclass(frozen=True)
class Chord:
    """Chord by its distance from the tonic.

    Attributes:
        root: semitones above the tonic, 0 to 11.
        tones: semitones of its tones above the root, ascending.
        bass: tone in the bass, in semitones above the root.
    """

    root: int
    tones: tuple[int, ...]
    bass: int

    def raised(self, semitones: int) -> Chord:
        """The same chord, higher."""
        return Chord((self.root + semitones) % 12, self.tones, self.bass)

    @property
    def pitches(self) -> tuple[int, ...]:
        """Pitch classes above the tonic."""
        return tuple((self.root + tone) % 12 for tone in self.tones)


@cache
def chord(name: str) -> Chord:
    """Chord of a roman numeral such as `bVIM7` or `V/3`.

    Raises:
        ValueError: the name is no roman numeral.
    """
    match = _NUMERAL.match(name)
    if not match:
        raise ValueError(f"{name}: unknown chord")
    flat, sharp, numeral, suffix, over = match.groups()
    third = 4 if numeral.isupper() else 3
    tones = {
        None: (0, third, 7), "7": (0, third, 7, 10), "M7": (0, third, 7, 11),
        "9": (0, third, 7, 10, 14), "6": (0, third, 7, 9), "5": (0, 7), "s2": (0, 2, 7),
        "s4": (0, 5, 7), "o": (0, 3, 6, 9), "h": (0, 3, 6, 10), "h7": (0, 3, 6, 10),
    }[suffix]  # fmt: skip
    root = (_DEGREES[numeral.lower()] - bool(flat) + bool(sharp)) % 12
    bass = {None: 0, "3": tones[1], "5": 7}[over]
    return Chord(root, tones, bass)


@cache
def progressions(group: str) -> tuple[tuple[tuple[Chord, ...], ...], ...]:
    """Progressions of a group: bars of one or more chords, each of equal length in its bar."""
    rows: list[str] = read_table("roadshow/progressions.toml")[group]
    return tuple(
        tuple(tuple(chord(name) for name in bar.split(",")) for bar in row.split()) for row in rows
    )
