"""Drummers: grooves, fills, crashes, and beats left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    from synth.roadshow.form import Bar
    from synth.roadshow.plan import Plan

JITTER_S = {"machine": 0.0003, "live": 0.004, "loose": 0.007}
_LOUDNESS = {"X": 1.0, "x": 0.78, "o": 0.3, "?": 0.5}
_HANDS = ("kick", "snare", "hat", "ride", "crash", "open", "china", "clap", "rim")
_NO_KIT = ("none", "click", "folk")


@dataclass(frozen=True)
class Hit:
    """Stroke of a drum, at a loudness of 0 to 1."""

    piece: str
    time_s: float
    loudness: float


def play_drums(plan: Plan, rng: Generator) -> list[Hit]:
    """Every stroke of the song."""
    drummer = _Drummer(plan, rng)
    for place, bar in enumerate(plan.bars):
        drummer.play(bar, plan.bars[place - 1] if place else None)
    drummer.open()
    return drummer.hits


class _Drummer:
    def __init__(self, plan: Plan, rng: Generator) -> None:
        self.plan, self.rng = plan, rng
        self.hits: list[Hit] = []
        self.jitter_s = JITTER_S[plan.style.feel]
        late_s = 0.0 if plan.style.feel == "machine" else rng.uniform(-0.002, 0.009)
        self.late_s = {"snare": late_s, "rim": late_s, "clap": late_s}
        self.has_kit = plan.style.kit not in _NO_KIT
        self.lively = plan.style.feel != "machine" or rng.random() < 0.5

    def hit(self, bar: Bar, beat: float, piece: str, loudness: float) -> None:
        time_s = self.plan.time_s(bar, beat) + self.late_s.get(piece, 0.0)
        spread = 0.02 if self.plan.style.feel == "machine" else 0.09
        loudness *= float(np.clip(self.rng.normal(1, spread), 0.6, 1.3))
        jitter_s = float(np.clip(self.rng.normal(0, self.jitter_s), -0.012, 0.012))
        self.hits.append(Hit(piece, time_s + jitter_s, min(1.0, loudness)))

    def play(self, bar: Bar, before: Bar | None) -> None:
        section, rng = bar.section, self.rng
        if "drums" not in section.layers:
            return
        if section.kind == "end":
            for piece in (
                ("kick", "crash") if self.has_kit else tuple(section.arrangement.drums["verse"])[:1]
            ):
                self.hit(bar, 0, piece, 0.9)
            return
        fill_from = self.fill_from(bar)
        missing = self.left_out(bar)
        for piece, bars in section.arrangement.drums[section.groove].items():
            cells = bars[bar.number % len(bars)]
            for step, cell in enumerate(cells):
                beat = step * section.arrangement.beats / len(cells)
                end = fill_from if piece in _HANDS else bar.stop
                silent = cell == "." or (cell == "?" and rng.random() < 0.5)
                if silent or beat > end - 1e-6:
                    continue
                if piece not in missing or beat >= missing[piece]:
                    self.hit(bar, beat, piece, _LOUDNESS[cell] * (0.6 + 0.4 * section.energy))
        if bar.hold:
            for piece in ("kick", "crash") if self.has_kit else ():
                self.hit(bar, bar.stop, piece, 0.9)
        if fill_from < bar.stop:
            self.fill(bar, fill_from)
        begins = before is not None and bar.number == 0
        if begins and self.has_kit and rng.random() < (0.7 if self.lively else 0.35):
            self.hit(bar, 0, "crash", 0.8)

    def fill_from(self, bar: Bar) -> float:
        """The beat at which a fill begins, or the end of the bar."""
        full = bar.section.arrangement.beats
        short = bar.beats != full or not self.has_kit
        chance = 0.75 if bar.left == 0 else 0.2 if bar.number % 4 == 3 else 0.0
        if short or self.rng.random() > chance * (1.0 if self.lively else 0.5):
            return float(bar.stop)
        lengths = [length for length in (0.5, 1, 1, 2, full) if length <= full]
        return float(full - self.rng.choice(lengths))

    def left_out(self, bar: Bar) -> dict[str, float]:
        """Pieces that begin later in this bar than their pattern says, and at which beat."""
        if not self.has_kit or bar.number == 0 or self.rng.random() > 0.12:
            return {}
        way = self.rng.integers(3)
        if way == 0:
            return {"kick": 0.4}
        if way == 1:
            return {"kick": float(bar.beats)}
        return dict.fromkeys(_HANDS, min(1.0, float(bar.beats)))

    def fill(self, bar: Bar, start: float) -> None:
        split = max(3 if self.plan.style.split == 3 else 4, self.plan.style.split)
        split = 2 if 60 / bar.period_s > 150 and self.rng.random() < 0.7 else split
        steps = round((bar.stop - start) * split)
        machine = self.plan.style.feel == "machine"
        way = int(self.rng.choice((0, 0, 3, 4))) if machine else int(self.rng.integers(5))
        for step in range(steps):
            beat, share = start + step / split, step / max(1, steps - 1)
            if way == 0:
                self.hit(bar, beat, "snare", 0.35 + 0.5 * share)
            elif way == 1:
                self.hit(bar, beat, ("tom1", "tom2", "tom3")[min(2, int(share * 3))], 0.75)
            elif way == 2 and step % 3 != 1:
                self.hit(bar, beat, ("snare", "tom2")[step % 2], 0.8)
            elif way == 3 and self.rng.random() < 0.55:
                self.hit(bar, beat, str(self.rng.choice(("kick", "snare", "tom3"))), 0.75)

    def open(self) -> None:
        """Sticks or a fill before the first bar."""
        bar, opening = self.plan.bars[0], self.plan.opening
        beats = bar.section.arrangement.beats
        if opening == "sticks":
            for beat in range(-beats, 0):
                self.hit(bar, beat, "stick", 0.7)
        elif opening == "fill" and self.has_kit:
            split = 3 if self.plan.style.split == 3 else 2
            for step in range(-split, 0):
                self.hit(bar, step / split, "snare" if step % 2 else "tom1", 0.8)
