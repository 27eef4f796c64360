"""Chords in Roman numerals, loops of them, and the harmony of a whole song.

Numerals count from the major scale in each mode, so that the sixth chord of a minor key is
`bVI`; capital letters are major chords.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from synth.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synth.bandstand.form import Form
    from synth.dice import Dice

_DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_MAJOR_TONES = {"": (0, 4, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "sus": (0, 5, 7)}
_MINOR_TONES = {"": (0, 3, 7), "7": (0, 3, 7, 10), "dim": (0, 3, 6), "m7b5": (0, 3, 6, 10)}


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


def loops(mode: str, flavor: str) -> list[list[Chord]]:
    """The loops of a mode (`major`, `minor`) and flavor (`pop`, `rock`, `soul`, `folk`)."""
    texts = _table()[mode][flavor]
    return [[chord(numeral) for numeral in text.split()] for text in texts]


@cache
def _table() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return read_table("bandstand/loops.toml")


def home(mode: str) -> Chord:
    """The tonic chord."""
    return chord("I" if mode == "major" else "i")


def draw_spans(dice: Dice, form: Form) -> list[Span]:
    """Draw the harmony of a song: a loop for verses, mostly another for choruses, cadences.

    The last chord is the tonic. Where two neighbours are the same chord, they stay two spans.
    """
    rate = _chord_bars(dice, form)
    longest = max(section.bars for section in form.sections)
    every = loops(form.mode, form.style.flavor)
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
    rock = form.style.flavor == "rock"
    return chord(dice.pick(("V", "V7", "V", "IV", "bVII" if rock else "V7")))
