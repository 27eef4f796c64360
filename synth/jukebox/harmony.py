"""Chords."""

from __future__ import annotations

from dataclasses import dataclass

from synth.keys import SCALES, SEMITONES, is_minor

_QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "7b9": (0, 4, 7, 10, 13),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
}


@dataclass(frozen=True)
class Chord:
    """A chord, as semitones above the tonic of the song.

    Attributes:
        root: 0 to 11.
        intervals: semitones above the root.
        bass: the lowest note's pitch class, 0 to 11.
    """

    root: int
    intervals: tuple[int, ...]
    bass: int

    @property
    def tones(self) -> frozenset[int]:
        """Pitch classes above the tonic."""
        return frozenset((self.root + interval) % 12 for interval in self.intervals)


Bar = tuple[Chord, ...]
Progression = tuple[Bar, ...]


def _parse_root(symbol: str) -> tuple[int, str]:
    pitch, rest = SEMITONES[symbol[0]], symbol[1:]
    while rest[:1] in ("#", "b") and rest[:1]:
        pitch += 1 if rest[0] == "#" else -1
        rest = rest[1:]
    return pitch % 12, rest


def parse_chord(symbol: str) -> Chord:
    """The chord that `symbol` names when the tonic is C, such as `"Dm7b5"` or `"C/E"`."""
    name, _, bass = symbol.partition("/")
    root, quality = _parse_root(name)
    return Chord(root, _QUALITIES[quality], _parse_root(bass)[0] if bass else root)


def parse_progression(text: str) -> Progression:
    """Bars of chords; spaces part the bars, commas the chords that share one."""
    return tuple(tuple(parse_chord(symbol) for symbol in bar.split(",")) for bar in text.split())


def tonic_chord(mode: str, *, plain: bool) -> Chord:
    """The chord that a song ends on: a triad, or a sixth chord."""
    symbol = ("Cm" if is_minor(mode) else "C") + ("" if plain else "6")
    return parse_chord(symbol)


def scale_over(chord: Chord, mode: str) -> frozenset[int]:
    """Pitch classes that fit `chord`: the scale, bent where the chord leaves it."""
    tones = chord.tones
    outside = {tone for tone in tones if tone not in SCALES[mode]}
    clashing = {(tone + step) % 12 for tone in outside for step in (-1, 1)}
    return frozenset(tones | {degree for degree in SCALES[mode] if degree not in clashing})
