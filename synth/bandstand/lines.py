"""Notes on a bar's grid, and bass lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synth.bandstand.form import Form, Section
    from synth.bandstand.harmony import Chord, Span
    from synth.dice import Dice

LOWEST_BASS = 28
"""The E of a bass guitar, as a MIDI number."""

# By letter: R root, O its octave, F fifth, A a step towards the next root; `-` holds.
_FOUR = {
    "roots": ("R---------------", "R-------R-------", "R---R---R---R---", "R-----R-R-------"),
    "ballad": ("R-----R-R-------", "R-----F-O-------", "R-------R---A---"),
    "eighths": ("R-R-R-R-R-R-R-R-", "R-R-R-R-R-R-R-A-"),
    "octaves": ("R-O-R-O-R-O-R-O-", "R.O.R.O.R.O.R.OA"),
    "offbeat": ("..R-..R-..R-..R-", "..RR..RR..RR..RR", "..R-..R-..R-..O-"),
    "synco": ("R-----R-..R---..", "R--R--R-R-----O-", "R--R..R-..R-O---", "R-....R-R--.O-A-"),
    "dub": ("R-----R-R-......", "R---..R-R-R-....", "R--R--..R---..A-", "R-..R-..R-F-O-.."),
    "funk": ("R..R..O.R.RO..A.", "R-.O..R...F-A-..", "R.RR..O...R.F.A.", "R..O..R-..RR..O."),
    "reese": ("R---------R-----", "R-----R---------", "R---------R---O-"),
    "walk": ("W---W---W---W---",),
}
_THREE = {
    "roots": ("R-----------", "R-------R---", "R-------....", "R-------F---"),
    "eighths": ("R-R-R-R-R-R-", "R---R-R-R-R-"),
    "walk": ("W---W---W---",),
}


@dataclass(frozen=True)
class Note:
    """A note of a part: beats count from the first bar, `velocity` is 0 to 1.

    `late_s` is a delay on purpose, as of the strings of a strummed chord.
    """

    beat: float
    beats: float
    midi: int
    velocity: float
    late_s: float = 0.0


@dataclass(frozen=True)
class Step:
    """A place in a pattern, the chord at it, and the letter that says what to play."""

    beat: float
    beats: float
    letter: str
    chord: Chord


def steps(
    pattern: str, bar_beat: float, spans: Sequence[Span], *, tied: bool = False
) -> Iterator[Step]:
    """Lay a bar's pattern of sixteenths over the chords.

    Notes held over a change of chord are struck again at the change. Where a chord comes an
    eighth before its bar and `tied` is set, the first note of the bar comes with it.
    """
    bar_end = bar_beat + len(pattern) / 4
    index = 0
    while index < len(pattern):
        letter, start = pattern[index], index
        index += 1
        while index < len(pattern) and pattern[index] == "-":
            index += 1
        if letter == ".":
            continue
        begin, end = bar_beat + start / 4, bar_beat + index / 4
        for span in spans:
            low, high = max(begin, span.start), min(end, span.end)
            if tied and pattern[0] != "." and low == span.start == bar_end - 0.5:
                continue
            if tied and low == bar_beat == span.start + 0.5:
                low = span.start
            if high - low > 0.2:
                yield Step(low, high - low, letter, span.chord)


def bars_of(section: Section) -> range:
    """Numbers of the bars of a section."""
    return range(section.first_bar, section.first_bar + section.bars)


def bass_line(dice: Dice, form: Form, spans: Sequence[Span]) -> list[Note]:
    """Draw the bass of a song: a line for verses and one for choruses."""
    kind = dice.pick(form.style.basses)
    table = _THREE if form.beats_per_bar == 3 else _FOUR
    patterns = {name: dice.pick(table[kind]) for name in ("verse", "chorus")}
    out: list[Note] = []
    for section in form.sections:
        if not section.bass:
            continue
        pattern = patterns["chorus" if section.kind == "chorus" else "verse"]
        for bar in bars_of(section):
            out += _bass_bar(dice, form, bar, pattern, spans)
    return out


def bass_root(form: Form, root: int) -> int:
    """The MIDI number at which the bass plays a root."""
    return LOWEST_BASS + (form.tonic + root - LOWEST_BASS) % 12


def _bass_bar(
    dice: Dice, form: Form, bar: int, pattern: str, spans: Sequence[Span]
) -> Iterator[Note]:
    first = bar * form.beats_per_bar
    for step in steps(pattern, first, spans, tied=True):
        root = bass_root(form, step.chord.root)
        letter, midi = step.letter, root
        after = _root_after(form, step.beat + step.beats, spans)
        if letter == "W":
            letter = _walk(dice, step, spans)
        if letter == "O":
            midi = root + 12
        elif letter == "F":
            midi = root + (6 if 6 in step.chord.tones else 7)
        elif letter == "T":
            midi = root + step.chord.tones[1]
        elif letter == "A":
            midi = after + dice.pick((-2, -1, 2, -5))
        loud = 0.9 if step.beat == first else 0.75
        yield Note(step.beat, 0.92 * step.beats, midi, loud * dice.between(0.9, 1.1))


def _walk(dice: Dice, step: Step, spans: Sequence[Span]) -> str:
    span = next(span for span in spans if span.start <= step.beat < span.end)
    if step.beat == span.start:
        return "R"
    if step.beat + 1 >= span.end:
        return "A"
    return dice.pick("TFOFR")


def _root_after(form: Form, beat: float, spans: Sequence[Span]) -> int:
    following = next((span for span in spans if span.start <= beat < span.end), spans[-1])
    return bass_root(form, following.chord.root)
