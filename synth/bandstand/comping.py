"""Accompaniment: what harmony instruments play under a melody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synth.bandstand.lines import Note, Step, bars_of, steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synth.bandstand.form import Form
    from synth.bandstand.harmony import Chord, Span
    from synth.dice import Dice

_LOUD = {"X": 0.95, "x": 0.7, "o": 0.5}


@dataclass(frozen=True)
class Comp:
    """A way to accompany.

    Attributes:
        manner: `chords`, `strum`, `fifths` (a power chord), `pad` (held as long as the harmony
            stays) or `arp` (one tone after another).
        voices: instruments that may play it.
        four: patterns of sixteenths of a 4/4 bar; digits of an `arp` count tones from the lowest.
        three: the same for 3/4.
        lowest: MIDI number of the lowest note a voicing may have.
        rooted: whether the root lies under the chord.
    """

    manner: str
    voices: tuple[str, ...]
    four: tuple[str, ...] = ()
    three: tuple[str, ...] = ()
    lowest: int = 55
    rooted: bool = False


_ARP8_FOUR = ("0-1-2-3-2-1-2-1-", "0-2-1-2-3-2-1-2-", "0-1-2-1-0-1-2-1-", "0-1-2-3-4-3-2-1-")
_ARP8_THREE = ("0-1-2-3-2-1-", "0-2-1-2-1-2-", "0-1-2-1-2-1-")
_ARP16_FOUR = ("0123210301232103", "0120120120120120", "0213021302130213", "0.1.20.1.20.1.2.")
_ARP16_THREE = ("012321012321", "010201020102")
_STRUM_FOUR = ("X-x-x-x-X-x-x-x-", "X---x-x---x-x-x-", "X---x-xox-xox-x-", "X---X---X---X-x-")
_STRUM_THREE = ("X---x-x-x-x-", "X---x---x---", "X---x-x-x---")

COMPS = {
    "pad": Comp("pad", ("pad", "strings", "organ"), lowest=52),
    "bowed": Comp("pad", ("strings",), lowest=50),
    "organ": Comp("pad", ("organ",), lowest=55),
    "block": Comp(
        "chords",
        ("piano", "keys"),
        ("X---x---X---x---", "X-------x-------", "X---x---x---x-x-", "X-----x-x-------"),
        ("X---x---x---", "X-------x---", "....x---x---"),
        rooted=True,
    ),
    "piano": Comp(
        "chords",
        ("piano",),
        ("X--x--x---x--x--", "..X---X---X---X-", "X---X---X---X---", "X-..x-..X-..x-x-"),
        ("X---x---x---", "....x---x---"),
    ),
    "keys": Comp(
        "chords",
        ("keys",),
        ("X---------------", "X-----x---------", "X--x--..x---x---", "X-------..x-x---"),
        ("X-----------", "X-------x---", "X---x---x---"),
        lowest=52,
        rooted=True,
    ),
    "stab": Comp(
        "chords",
        ("pluck", "keys", "piano", "organ"),
        ("..X...X...X...X.", "X..x..x...x.x...", "X.....x.....x...", "..x..x....x..x.."),
        ("....x...x...", "X...x.x.x..."),
    ),
    "skank": Comp(
        "strum", ("guitar", "organ", "guitar"), ("..X...X...X...X.", "..X...Xo..X...Xo"), lowest=57
    ),
    "bubble": Comp("chords", ("organ",), ("..xo..xo..xo..xo", "x.xox.xox.xox.xo"), lowest=55),
    "strum": Comp("strum", ("guitar",), _STRUM_FOUR, _STRUM_THREE, lowest=52, rooted=True),
    "chop": Comp(
        "strum",
        ("guitar", "pluck"),
        ("x.xx..x.x.xx..x.", "..x.x..x..x.x..x", "x..xx.x...x.xx..", "....X..o....X.o."),
        lowest=60,
    ),
    "power": Comp(
        "fifths",
        ("crunch",),
        ("X-x-x-x-X-x-x-x-", "X-------X---x-x-", "X-xxX-xxX-xxX-xx", "X--X--X-..X-X-x-"),
        ("X-x-x-x-x-x-",),
        lowest=40,
        rooted=True,
    ),
    "arp8": Comp("arp", ("pluck", "guitar", "keys", "bell"), _ARP8_FOUR, _ARP8_THREE, rooted=True),
    "arp16": Comp("arp", ("pluck", "pluck", "keys"), _ARP16_FOUR, _ARP16_THREE, lowest=57),
    "fingers": Comp("arp", ("guitar",), _ARP8_FOUR, _ARP8_THREE, lowest=52, rooted=True),
    "broken": Comp("arp", ("piano",), _ARP8_FOUR, _ARP8_THREE, lowest=52, rooted=True),
    "plucked": Comp(
        "arp",
        ("guitar", "pluck"),
        (*_ARP8_FOUR, "0---2---1---2---"),
        (*_ARP8_THREE, "0---1---2---"),
        lowest=52,
        rooted=True,
    ),
}


def voicing(form: Form, chord: Chord, comp: Comp) -> list[int]:
    """MIDI numbers of a chord, lowest first; the inversion that lies nearest above `lowest`."""
    classes = [(form.tonic + cls) % 12 for cls in chord.classes]
    if comp.manner == "fifths":
        root = comp.lowest + (classes[0] - comp.lowest) % 12
        return [root, root + (6 if 6 in chord.tones else 7), root + 12]
    tones = sorted(comp.lowest + (cls - comp.lowest) % 12 for cls in classes)
    if comp.rooted:
        below = comp.lowest - 12
        tones = [below + (classes[0] - below) % 12, *tones]
    return tones


def comp_notes(
    dice: Dice, form: Form, spans: Sequence[Span], comp: Comp, least: int
) -> Iterator[Note]:
    """Play a way of accompanying in all sections that have at least `least` accompanying parts."""
    table = comp.three if form.beats_per_bar == 3 else comp.four
    played = [section for section in form.sections if section.comps >= least]
    if comp.manner == "pad":
        for span in spans[:-1]:
            bar = (span.start + 0.5) // form.beats_per_bar
            if any(bar in bars_of(section) for section in played):
                held = Step(span.start, span.end - span.start, "x", span.chord)
                yield from _strike(dice, form, held, comp)
        return
    patterns = {kind: dice.pick(table) for kind in ("verse", "chorus")}
    if dice.chance(0.5):
        patterns["chorus"] = patterns["verse"]
    for section in played:
        pattern = patterns["chorus" if section.kind == "chorus" else "verse"]
        for bar in bars_of(section):
            for step in steps(pattern, bar * form.beats_per_bar, spans, tied=True):
                yield from _strike(dice, form, step, comp)


def last_chord(dice: Dice, form: Form, span: Span, comp: Comp) -> Iterator[Note]:
    """The tonic chord with which a part ends."""
    step = Step(span.start, span.end - span.start, "X", span.chord)
    if comp.manner == "arp":
        for index, midi in enumerate(voicing(form, span.chord, comp)):
            yield Note(step.beat, step.beats, midi, 0.75, 0.02 * index)
        return
    yield from _strike(dice, form, step, comp)


def _strike(dice: Dice, form: Form, step: Step, comp: Comp) -> Iterator[Note]:
    tones = voicing(form, step.chord, comp)
    if comp.manner == "arp":
        index = int(step.letter)
        octave, place = divmod(index, len(tones))
        loud = 0.85 if index == 0 else 0.7
        yield Note(
            step.beat, 1.6 * step.beats, tones[place] + 12 * octave, loud * dice.between(0.85, 1.15)
        )
        return
    loud = _LOUD[step.letter] * dice.between(0.88, 1.1)
    gap_s = dice.between(0.003, 0.009) if comp.manner == "strum" else 0.0
    upward = comp.manner == "strum" and step.beat % 1 == 0.5
    for index, midi in enumerate(reversed(tones) if upward else tones):
        yield Note(step.beat, 0.95 * step.beats, midi, loud, index * gap_s)
