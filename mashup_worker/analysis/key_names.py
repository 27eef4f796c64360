"""Names of the 24 keys, and their positions on the Camelot wheel."""

from __future__ import annotations

MAJOR_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
"""Tonics, spelled with the fewest accidentals."""

KEYS = (
    *(f"{tonic} major" for tonic in MAJOR_TONICS),
    *(f"{tonic} minor" for tonic in MINOR_TONICS),
)


def camelot(key: str) -> str:
    """Return the position of a key on the Camelot wheel, such as `"8A"` for `"A minor"`."""
    mode, tonic = divmod(KEYS.index(key), 12)
    # A step on the wheel is a fifth; a minor key has the number of its relative major.
    return f"{((tonic + 3 * mode) * 7 + 7) % 12 + 1}{'BA'[mode]}"
