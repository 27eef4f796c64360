"""Where beats lie in time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from synth.timeline import swung_position


@dataclass(frozen=True)
class Step:
    """A character of a pattern that is not a rest.

    Attributes:
        beat: where it falls in its bar, in beats.
        length: what the pattern counts in, in beats.
        mark: the character.
    """

    beat: float
    length: float
    mark: str

    @property
    def is_triplet(self) -> bool:
        """Whether the pattern counts three to a beat."""
        return abs(self.length * 3 - 1) < 1e-6


def steps(pattern: str, bar: int, beats_per_bar: int) -> tuple[Step, ...]:
    """What `pattern` says for bar number `bar` of a section."""
    bars = pattern.split("|")
    text = bars[bar % len(bars)]
    length = beats_per_bar / len(text)
    return tuple(Step(i * length, length, mark) for i, mark in enumerate(text) if mark != ".")


def accent(beat: float) -> float:
    """How much players lean on a place of the bar: most on beats, least between the eighths."""
    share = beat % 1
    if share < 1e-6:
        return 1.0
    return 0.9 if abs(share - 0.5) < 1e-6 else 0.82


@dataclass(frozen=True)
class Grid:
    """Maps bars and beats to seconds.

    Attributes:
        bar0_s: start of the first whole bar.
        beat_s: length of a beat.
        beats_per_bar: 3 or 4.
        swing: share of a pair of notes that the first takes.
        swing_unit: length of that pair, in beats.
    """

    bar0_s: float
    beat_s: float
    beats_per_bar: int
    swing: float = 0.5
    swing_unit: float = 1.0

    def time_s(self, bar: int, beat: float, *, swung: bool = True) -> float:
        """Time of a place in a bar; negative beats lie before it."""
        whole = math.floor(beat / self.swing_unit + 1e-9)
        share = beat / self.swing_unit - whole
        if swung and share > 1e-9:
            share = swung_position(share, self.swing)
        beats = bar * self.beats_per_bar + (whole + share) * self.swing_unit
        return self.bar0_s + beats * self.beat_s

    def beat_time_s(self, index: int) -> float:
        """Time of beat `index`, counted from the first whole bar."""
        return self.bar0_s + index * self.beat_s
