"""Melodies: a rhythm that comes back, on notes of the scale that come to rest on the triad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synth.bandstand.lines import Note, Step, bars_of, steps
from synth.keys import SCALES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synth.bandstand.form import Form, Section
    from synth.bandstand.harmony import Chord, Span
    from synth.dice import Dice

_FOUR = (
    "x---x-x-x---....", "x-x-x-x-x-------", "....x-x-x---x---", "x-----x-x-----..",
    "x--x--x-x-------", "x-------x---x---", "..x-x-x-x---x---", "x---x---x-x-x-x-",
    "x--x--x---x-x---", "x-----x---x-x-x-", "..x---x-x-------",
)  # fmt: skip
_FOUR_REST = ("x-------........", "x---------------", "x-x-x-------....", "x---x-------....")
_THREE = (
    "x-------x---", "x---x---x---", "x-----x-x---", "x-----------",
    "x-x-x-x-x---", "....x---x---", "x---x-x-x-x-",
)  # fmt: skip
_THREE_REST = ("x-----------", "x-------....", "x---x-------")


def melody(dice: Dice, form: Form, spans: Sequence[Span]) -> list[Note]:
    """Draw the melody of the sections that have one."""
    three = form.beats_per_bar == 3
    cells = [dice.pick(_THREE if three else _FOUR) for _ in range(3)]
    rests = _THREE_REST if three else _FOUR_REST
    lowest = dice.whole(58, 67)
    out: list[Note] = []
    here = lowest + (form.tonic - lowest) % 12
    for section in form.sections:
        if not section.lead:
            continue
        for bar in bars_of(section):
            place = (bar - section.first_bar) % 4
            closing = place == 3
            cell = dice.pick(rests) if closing else cells[(0, 1, 0)[place]]
            if section.kind == "chorus" and place == 1:
                cell = cells[2]
            for note in _bar(dice, form, list(steps(cell, bar * form.beats_per_bar, spans)), here):
                out.append(note)
                here = note.midi
        out[-1] = _resolve(form, out[-1], section, spans)
        here = min(max(out[-1].midi, lowest), lowest + 16)
    return out


def pickup(dice: Dice, form: Form, first: int) -> list[Note]:
    """Notes of the scale that lead into the first bar, up or down to `first`."""
    count = round(form.pickup * 2)
    scale = _scale(form, None)
    side = dice.pick((-1, 1))
    out: list[Note] = []
    midi = first
    for index in range(count):
        midi += side
        while (midi - form.tonic) % 12 not in scale:
            midi += side
        out.append(Note(-(index + 1) / 2, 0.48, midi, 0.7 * dice.between(0.9, 1.1)))
    return out[::-1]


def _bar(dice: Dice, form: Form, places: list[Step], here: int) -> Iterator[Note]:
    for step in places:
        move = dice.weighted((-4, -3, -2, -1, 0, 1, 2, 3, 4, 5), (1, 2, 5, 4, 3, 4, 5, 2, 1, 1))
        strong = step.beat % form.beats_per_bar == 0 or step.beats >= 1
        wanted = min(max(here + move, 57), 82)
        if strong and dice.chance(0.85):
            classes = {(form.tonic + cls) % 12 for cls in step.chord.classes}
        else:
            classes = {(form.tonic + cls) % 12 for cls in _scale(form, step.chord)}
        here = _nearest(wanted, classes)
        loud = 0.85 if strong else 0.72
        yield Note(step.beat, 0.95 * step.beats, here, loud * dice.between(0.88, 1.12))


def _resolve(form: Form, note: Note, section: Section, spans: Sequence[Span]) -> Note:
    """Let the last note of a section be of the tonic triad where the chord has such a note."""
    triad = {form.tonic, (form.tonic + (4 if form.mode == "major" else 3)) % 12}
    triad.add((form.tonic + 7) % 12)
    under = next(span.chord for span in spans if span.start <= note.beat < span.end)
    classes = {(form.tonic + cls) % 12 for cls in under.classes}
    end = (section.first_bar + section.bars) * form.beats_per_bar
    beats = min(max(note.beats, 1.0), end - note.beat)
    return Note(note.beat, beats, _nearest(note.midi, triad & classes or classes), note.velocity)


def _nearest(midi: int, classes: set[int]) -> int:
    return min(range(midi - 11, midi + 12), key=lambda m: (m % 12 not in classes, abs(m - midi)))


def _scale(form: Form, chord: Chord | None) -> set[int]:
    """The scale of the mode, bent to the tones of a chord from outside it."""
    scale = set(SCALES[form.mode])
    for cls in chord.classes if chord else ():
        if cls not in scale:
            scale -= {(cls + 1) % 12, (cls - 1) % 12}
            scale.add(cls)
    return scale
