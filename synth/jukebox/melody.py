"""Tunes: motifs that return, in phrases that end on long notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synth.jukebox.events import Hand, Note
from synth.jukebox.grid import steps
from synth.jukebox.harmony import Chord, scale_over

if TYPE_CHECKING:
    import numpy as np

    from synth.jukebox.plan import Plan, Section

_RHYTHMS = {
    4: {
        "sparse": ("x.......", "x...x...", "x.....x.", "..x...x.", "x..x....", "....x.x."),
        "mid": ("x..x..x.", "x.x.x...", "x.xxx.x.", "..x.x.x.", ".xx.x.x.", "x...x.xx", "x.xx..x."),
        "busy": ("xxxxx.x.", "x.xxx.xx", "xxxxxxxx", "xx.xx.x.", "x.xx.xxx", "xxx.x.x."),
        "running": ("xxxxxxxx", ".xxxxxxx", "xxxxxx.x", "x.xxxxxx", "xxxx..xx"),
    },
    3: {
        "sparse": ("x.....", "x...x.", "x.....", "..x.x."),
        "mid": ("x...x.", "x.x.x.", "x..xx.", "..x.x.", "x.x.xx"),
        "busy": ("x.xxxx", "x.x.xx", "xxxxxx", "x..xxx", "xxx.x."),
        "running": ("xxxxxx", ".xxxxx", "x.xxxx"),
    },
}
_LAST_BARS = {4: ("x.......", "x.x.....", "x..x...."), 3: ("x.....", "x.x...")}
_CENTRE = {"flute": 79, "fiddle": 76, "piano": 74, "vibes": 72, "cello": 57, "sax": 66}


@dataclass(frozen=True)
class _MotifNote:
    bar: int
    beat: float
    next_beat: float
    height: float


def write_melody(plan: Plan, rng: np.random.Generator) -> tuple[Note, ...]:
    """Every note of the tune."""
    hand = Hand(rng, plan.style.looseness_s * 1.3)
    tunes = {name: _draw_phrase(plan, rng) for name in ("verse", "chorus")}
    notes: list[Note] = _pickup(plan, rng, hand)
    for section in plan.sections:
        if "melody" not in section.layers:
            continue
        if section.name == "end":
            notes += _last_note(plan, section, hand)
            continue
        tune = tunes["chorus" if section.name == "chorus" else "verse"]
        notes += _play(plan, section, tune, hand)
    return tuple(notes)


def _draw_phrase(plan: Plan, rng: np.random.Generator) -> tuple[_MotifNote, ...]:
    """Four bars: a motif, its answer, the motif again, and a close."""
    beats = plan.grid.beats_per_bar
    rhythms = _RHYTHMS[beats][plan.style.melody]
    first, second = (rhythms[int(i)] for i in rng.integers(len(rhythms), size=2))
    closes = _LAST_BARS[beats]
    bars = (first, second, first, closes[int(rng.integers(len(closes)))])
    moves = rng.choice((-2, -1, -1, 0, 1, 1, 2, 3, -3), size=24)
    notes = []
    height = float(rng.integers(-3, 4))
    for bar, text in enumerate(bars):
        found = steps(text, 0, beats)
        for i, step in enumerate(found):
            # The motif returns with its contour, wherever it starts from.
            move = int(moves[(i + (8 if bar == 1 else 16 if bar == 3 else 0)) % 24])
            height = 0.92 * height + move * 1.9
            after = found[i + 1].beat if i + 1 < len(found) else float(beats)
            notes.append(_MotifNote(bar, step.beat, after, height))
    return tuple(notes)


def _play(plan: Plan, section: Section, tune: tuple[_MotifNote, ...], hand: Hand) -> list[Note]:
    grid = plan.grid
    notes = []
    for start in range(0, section.bars, 4):
        for motif in tune:
            bar = start + motif.bar
            if bar >= section.bars:
                continue
            chords = section.chords[bar]
            second = len(chords) > 1 and motif.beat >= -(-grid.beats_per_bar // 2)
            chord = chords[1] if second else chords[0]
            strong = motif.beat in (0.0, 2.0) or motif.next_beat - motif.beat >= 1.5
            pitch = _near(plan, chord, motif.height, chord_tone=strong)
            at = grid.time_s(section.first_bar + bar, motif.beat)
            until = grid.time_s(section.first_bar + bar, motif.next_beat)
            velocity = hand.touch((0.8 if strong else 0.66) * section.loudness)
            notes.append(Note(at + hand.offset_s(), (until - at) * 0.93, pitch, velocity))
    return notes


def _near(plan: Plan, chord: Chord, height: float, *, chord_tone: bool) -> int:
    """The fitting pitch nearest to `height` semitones above the lead's usual note."""
    wanted = chord.tones if chord_tone else scale_over(chord, plan.mode)
    centre = _CENTRE.get(plan.lead or "", 68) + height
    around = range(int(centre) - 7, int(centre) + 8)
    fitting = [pitch for pitch in around if (pitch - plan.tonic) % 12 in wanted]
    return min(fitting, key=lambda pitch: abs(pitch - centre))


def _pickup(plan: Plan, rng: np.random.Generator, hand: Hand) -> list[Note]:
    beats = plan.opening.pickup_beats
    if plan.opening.pickup != "melody" or not beats:
        return []
    length = 0.5 if rng.random() < 0.6 or beats % 1 else 1.0
    chord = plan.chords_at(0)[0]
    count = round(beats / length)
    rise = int(rng.choice((-1, 1)))
    notes = []
    for i in range(count):
        beat = plan.grid.beats_per_bar - beats + i * length
        at, until = plan.grid.time_s(-1, beat), plan.grid.time_s(-1, beat + length)
        pitch = _near(plan, chord, rise * 2.0 * (i - count), chord_tone=i == 0)
        notes.append(
            Note(max(0.0, at + hand.offset_s()), (until - at) * 0.9, pitch, hand.touch(0.7))
        )
    return notes


def _last_note(plan: Plan, section: Section, hand: Hand) -> list[Note]:
    beats = 0.9 if plan.ending == "button" else plan.grid.beats_per_bar - 0.15
    centre = _CENTRE.get(plan.lead or "", 68)
    pitch = centre - 5 + (plan.tonic - (centre - 5)) % 12
    at = plan.grid.time_s(section.first_bar, 0) + hand.offset_s()
    return [Note(at, beats * plan.grid.beat_s, pitch, hand.touch(0.8))]
