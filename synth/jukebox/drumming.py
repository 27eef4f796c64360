"""Drum parts: grooves, fills, upbeats and count-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synth.jukebox.events import Hand, Hit
from synth.jukebox.grid import Step, accent, steps

if TYPE_CHECKING:
    from synth.jukebox.plan import Plan, Section

_LOUDNESS = {"x": 0.72, "X": 0.95, "o": 0.34, "?": 0.5, "r": 0.6, "t": 0.55}
_TIMEKEEPERS = frozenset(("hat", "ride", "shaker", "tamb"))
_STROKES = {"r": 2, "t": 3}
_FILL_PIECES = {
    "toms": ("snare", "tomhi", "tommid", "tomlo"),
    "snare": ("snare",),
    "claps": ("clap", "snare"),
    "perc": ("congahi", "congahi", "congalo"),
}
_BACKBEAT_PIECES = frozenset(("snare", "clap", "rim", "brush", "cajonhi", "tomlo"))


def write_drums(plan: Plan, rng: np.random.Generator) -> tuple[Hit, ...]:
    """Every stroke of the song."""
    hands: dict[str, Hand] = {}
    for groove in plan.grooves:
        for piece in groove:
            hands.setdefault(piece, Hand(rng, plan.style.looseness_s))
    hits = _opening(plan, Hand(rng, plan.style.looseness_s))
    for before, section in zip((None, *plan.sections), plan.sections, strict=False):
        if "drums" not in section.layers:
            continue
        if section.name == "end":
            hits += _last_stroke(plan, section)
            continue
        hits += _groove(plan, section, hands, rng)
        hits += _fill(plan, section, rng)
        if plan.style.crash and before is not None and rng.random() < 0.75:
            hits.append(
                Hit(plan.grid.time_s(section.first_bar, 0), "crash", section.loudness * 0.8)
            )
    return tuple(sorted(hits, key=lambda hit: hit.time_s))


def _fill_start(plan: Plan, section: Section, rng: np.random.Generator) -> float:
    """Beat of the section's last bar where a fill begins; past the bar, where there is none."""
    beats = plan.grid.beats_per_bar
    busy = section.bars >= 4 and plan.style.fill != "none"
    return beats - float(rng.choice((0, 1, 1, 2))) if busy else float(beats)


def _groove(
    plan: Plan, section: Section, hands: dict[str, Hand], rng: np.random.Generator
) -> list[Hit]:
    groove = plan.grooves[section.groove]
    # A beat that is sometimes there is there for a whole section.
    sometimes = {piece: rng.random() < 0.5 for piece in groove}
    hits: list[Hit] = []
    for bar in range(section.bars):
        for piece, pattern in groove.items():
            for step in steps(pattern, bar, plan.grid.beats_per_bar):
                if step.mark != "?" or sometimes[piece]:
                    where = section.first_bar + bar
                    hits += _strokes(plan, where, piece, step, (hands[piece], section.loudness))
    return hits


def _strokes(plan: Plan, bar: int, piece: str, step: Step, played: tuple[Hand, float]) -> list[Hit]:
    hand, section_loudness = played
    loudness = _LOUDNESS[step.mark] * section_loudness
    if piece in _TIMEKEEPERS:
        loudness *= accent(step.beat)
    count = _STROKES.get(step.mark, 1)
    hits = []
    for stroke in range(count):
        beat = step.beat + stroke * step.length / count
        at = plan.grid.time_s(bar, beat, swung=not step.is_triplet)
        hits.append(Hit(at + hand.offset_s(), piece, hand.touch(loudness)))
    return hits


def _fill(plan: Plan, section: Section, rng: np.random.Generator) -> list[Hit]:
    start = _fill_start(plan, section, rng)
    beats = plan.grid.beats_per_bar
    bar = section.first_bar + section.bars - 1
    return _roll(plan, bar, start, rng) if start < beats else []


def _roll(plan: Plan, bar: int, start: float, rng: np.random.Generator) -> list[Hit]:
    """Strokes that lead from beat `start` to the end of `bar`."""
    beats = plan.grid.beats_per_bar
    pieces = _FILL_PIECES.get(plan.style.fill, ("snare",))
    swung_eighths = plan.grid.swing > 0.52 and plan.style.swing_unit == 1.0
    length = 0.5 if swung_eighths or plan.tempo_bpm > 150 else 0.25
    hand = Hand(rng, plan.style.looseness_s)
    hits = []
    for i in range(round((beats - start) / length)):
        beat = start + i * length
        on_beat = abs(beat - round(beat)) < 1e-6
        if not on_beat and rng.random() < 0.25:
            continue
        share = (beat - start) / (beats - start)
        piece = pieces[min(len(pieces) - 1, int(share * len(pieces)))]
        at = plan.grid.time_s(bar, beat) + hand.offset_s()
        hits.append(Hit(at, piece, hand.touch(0.55 + 0.3 * share)))
    return hits


def _opening(plan: Plan, hand: Hand) -> list[Hit]:
    beats = plan.opening.pickup_beats
    if plan.opening.pickup == "clicks":
        times = [plan.grid.time_s(-1, beat) for beat in range(plan.grid.beats_per_bar)]
        return [Hit(at + hand.offset_s(), "sticks", hand.touch(0.7)) for at in times]
    if plan.opening.pickup == "drums":
        rng = np.random.default_rng([plan.seed, 4])
        return _roll(plan, -1, plan.grid.beats_per_bar - beats, rng)
    return []


def _last_stroke(plan: Plan, section: Section) -> list[Hit]:
    at = plan.grid.time_s(section.first_bar, 0)
    present = {piece for groove in plan.grooves for piece in groove}
    low = [piece for piece in ("kick", "cajonlo", "surdo", "congalo") if piece in present]
    hits = [Hit(at, piece, 0.85) for piece in low[:1]]
    if plan.style.crash:
        hits.append(Hit(at, "crash", 0.8))
    else:
        hits += [Hit(at, piece, 0.7) for piece in sorted(_BACKBEAT_PIECES & present)[:1]]
    return hits
