"""Names of notes and keys, and scales."""

from __future__ import annotations

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones of the natural notes above C."""

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
}
"""Semitones above the tonic, by mode."""

_MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


def is_minor(mode: str) -> bool:
    """Return whether the third of a mode is minor."""
    return 3 in SCALES[mode]


def key_name(tonic: int, mode: str) -> str:
    """Return a key such as `"Eb major"`; a mode counts by its third.

    Args:
        tonic: semitones above C.
        mode: a key of `SCALES`.
    """
    return f"{_MINOR_NAMES[tonic]} minor" if is_minor(mode) else f"{_MAJOR_NAMES[tonic]} major"
