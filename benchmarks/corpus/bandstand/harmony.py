"""Chords in Roman numerals, loops of them, and the harmony of a whole song.

Numerals count from the major scale whatever the mode is, so that the sixth chord of a minor key is
`bVI`; capital letters are major chords.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.corpus.bandstand.dice import Dice
    from benchmarks.corpus.bandstand.form import Form

MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_MAJOR_TONES = {"": (0, 4, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "sus": (0, 5, 7)}
_MINOR_TONES = {"": (0, 3, 7), "7": (0, 3, 7, 10), "dim": (0, 3, 6), "m7b5": (0, 3, 6, 10)}

# Loops by mode and flavour; a chord lasts half a bar, one bar or two.
_LOOPS = {
    ("major", "pop"): """
        I V vi IV | I vi IV V | I IV vi V | I IV | I iii IV V | I ii IV V | I V vi iii IV I IV V
        I III7 vi IV | I vi ii V7 | I IV ii V | I V IV IV | I I IV V | I Isus IV V | IV I V vi
        I vi IV V I vi ii V7
    """,
    ("major", "rock"): """
        I bVII IV I | I IV V IV | I bVII | I V IV IV | I V vi IV | I I IV V | I bVII IV bVII
        I bIII IV I | I I bVII IV I I IV V | I vi IV V
    """,
    ("major", "soul"): """
        Imaj7 vi7 ii7 V7 | Imaj7 IVmaj7 | Imaj7 iii7 IVmaj7 V7 | I7 IV7 | Imaj7 VI7 ii7 V7
        Imaj7 ii7 iii7 ii7 | I7 I7 IV7 I7 | Imaj7 III7 IVmaj7 V7
        Imaj7 IVmaj7 iii7 vi7 ii7 V7 Imaj7 V7
    """,
    ("major", "folk"): """
        I IV I V | I V vi IV | I IV V I | I vi IV V | I II7 V7 I | I I IV I V V I V7 | I V IV I
        I I V7 V7 V7 V7 I I
    """,
    ("minor", "pop"): """
        i bVI bIII bVII | i iv bVI V | i bVII bVI bVII | i bVI iv V7 | i iv bVII bIII | i bVI
        i bVI bVII i | i v bVI iv | i bIII bVII iv | i i iv iv bVI bVI V7 V7 | bVI bVII i i
    """,
    ("minor", "rock"): """
        i bVII bVI V | i bVII bVI bVII | i bVI bVII i | i bVII | i iv i V7 | i bIII bVII IV
        i bVI iv V7 | i i bVI bVII | i bVII bVI V7 i bVII bVI V7
    """,
    ("minor", "soul"): """
        i7 iv7 | i7 iv7 bVII7 bIIImaj7 | i7 bVImaj7 iv7 V7 | i7 bVII7 bVImaj7 V7 | i7 iim7b5 V7 i7
        i7 i7 iv7 V7 | i7 v7 | i7 iv7 bVII7 bIIImaj7 bVImaj7 iim7b5 V7 i7
    """,
    ("minor", "folk"): """
        i iv V7 i | i bVII bVI V7 | i bIII bVII i | i iv i V7 | i bVII i V | i bVI bIII bVII
        i i iv i bVI iv V7 i
    """,
}


@dataclass(frozen=True)
class Chord:
    """A chord as semitones: its root above the tonic, its tones above the root."""

    root: int
    tones: tuple[int, ...]

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes above the tonic, the root first."""
        return tuple((self.root + tone) % 12 for tone in self.tones)


@dataclass(frozen=True)
class Span:
    """A chord and the beats from which and to which it sounds."""

    start: float
    end: float
    chord: Chord


def chord(numeral: str) -> Chord:
    """The chord that a numeral such as `"bVII"`, `"ii7"` or `"Imaj7"` means.

    Raises:
        ValueError: if it is none.
    """
    found = re.fullmatch(r"(b?)([IV]+|[iv]+)(maj7|m7b5|7|dim|sus|)", numeral)
    if found is None:
        raise ValueError(f"not a chord: {numeral!r}")
    flat, degree, kind = found.groups()
    tones = _MAJOR_TONES if degree.isupper() else _MINOR_TONES
    return Chord((_DEGREES[degree.upper()] - len(flat)) % 12, tones[kind])


def loops(mode: str, flavour: str) -> list[list[Chord]]:
    """The loops of a mode (`major`, `minor`) and flavour (`pop`, `rock`, `soul`, `folk`)."""
    texts = re.split(r"[|\n]", _LOOPS[mode, flavour])
    return [[chord(numeral) for numeral in text.split()] for text in texts if text.strip()]


def key_name(tonic: int, mode: str) -> str:
    """Such as `"Eb major"`; `tonic` counts semitones above C."""
    return f"{(MAJOR_NAMES if mode == 'major' else MINOR_NAMES)[tonic]} {mode}"


def home(mode: str) -> Chord:
    """The tonic chord."""
    return chord("I" if mode == "major" else "i")


def draw_spans(dice: Dice, form: Form) -> list[Span]:
    """Draw the harmony of a song: a loop for verses, mostly another for choruses, cadences.

    The last chord is the tonic. Where two neighbours are the same chord, they stay two spans.
    """
    rate = _chord_bars(dice, form)
    longest = max(section.bars for section in form.sections)
    every = loops(form.mode, form.style.flavour)
    rate = min(rate, longest / min(map(len, every)))
    choices = [loop for loop in every if len(loop) * rate <= longest]
    verse = dice.pick(choices)
    chorus = dice.pick(choices) if dice.chance(0.6) else verse
    unit = rate * form.beats_per_bar
    spans: list[Span] = []
    for section in form.sections:
        loop = chorus if section.kind == "chorus" else verse
        first = section.first_bar * form.beats_per_bar
        count = round(section.bars / rate)
        drawn = [loop[index % len(loop)] for index in range(count)]
        last = section is form.sections[-1]
        if count > 1 and (last or dice.chance(0.45)) and drawn[-1] != drawn[0]:
            drawn[-1] = _cadence(dice, form)
        spans += [
            Span(first + index * unit, first + (index + 1) * unit, item)
            for index, item in enumerate(drawn)
        ]
    end = form.bars * form.beats_per_bar
    return [*spans, Span(end, end + form.beats_per_bar, home(form.mode))]


def anticipate(dice: Dice, spans: Sequence[Span], form: Form) -> list[Span]:
    """Let most chords come an eighth early, but for those that open a section."""
    openings = {section.first_bar * form.beats_per_bar for section in form.sections}
    openings.add(form.bars * form.beats_per_bar)
    out = [spans[0]]
    for span in spans[1:]:
        free = span.start not in openings and span.chord != out[-1].chord
        early = free and dice.chance(0.7)
        start = span.start - 0.5 * early
        out[-1] = replace(out[-1], end=start)
        out.append(replace(span, start=start))
    return out


def _chord_bars(dice: Dice, form: Form) -> float:
    """Bars a chord lasts: slow bars hold two chords, fast ones share one."""
    bar_s = form.beats_per_bar * 60 / form.tempo_bpm
    weights = (0.0, 0.6, 0.4) if bar_s < 1.6 else (0.15, 0.7, 0.15)
    if bar_s > 2.6:
        weights = (0.45, 0.55, 0.0)
    if form.beats_per_bar == 3:
        weights = (0.0, *weights[1:])
    return dice.weighted((0.5, 1.0, 2.0), weights)


def _cadence(dice: Dice, form: Form) -> Chord:
    if form.mode == "minor":
        return chord(dice.pick(("V", "V7", "V7", "bVII", "iv")))
    rock = form.style.flavour == "rock"
    return chord(dice.pick(("V", "V7", "V", "IV", "bVII" if rock else "V7")))
