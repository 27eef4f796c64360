"""What a style is made of.

Patterns are text: one character a step, `|` between bars. The steps of a bar follow from its
length; three to a beat are triplets, which swing leaves alone. `.` rests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Groove = Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """What one pitched instrument of the accompaniment plays.

    Attributes:
        layer: `bass`, `comp`, `extra` or `pad`; sections name the layers that play.
        kind: `bass` (r root, 5 fifth, 8 octave, 3 third, a approach to what comes next), `walk`
            (a note a beat), `chord` (x, X loud, o soft) or `pick` (digits: notes of the voicing,
            lowest first).
        patterns: a song draws one.
        voices: instruments, of which a song draws one.
        register: MIDI note about which the voicings lie.
        gate: share of the time until the next note that a note lasts.
        level_db: loudness against other lines of its layer.
    """

    layer: str
    kind: str
    patterns: tuple[str, ...]
    voices: tuple[str, ...]
    register: int = 62
    gate: float = 0.9
    level_db: float = 0.0


@dataclass(frozen=True)
class Style:
    """A kind of music.

    Attributes:
        name: names the style in tables.
        tempos_bpm: slowest and fastest, at the level that a musician would tap.
        lines: the accompaniment.
        melody: how busy the tune is: `none`, `sparse`, `mid`, `busy` or `running`.
        leads: instruments for the tune; `ah` and `oo` are voices.
        harmony: a pool of progressions.
        grooves: drum parts, of which a song draws two (they may be the same).
        kits: drum kits, of which a song draws one.
        beats_per_bar: 3 or 4.
        swing: range of the share that the first of two notes takes; 0.5 is straight.
        swing_unit: length in beats of the pair that swings: 1 for eighths, 0.5 for sixteenths.
        fill: `toms`, `snare`, `claps`, `perc` or `none`.
        crash: whether a cymbal marks new sections.
        anticipate: chance that a bar's last off-beat already takes the next bar's chord.
        looseness_s: standard deviation of the players' timing.
        duck: whether kicks duck the rest of the band.
        plain_end: whether the last chord is a triad, not a sixth chord.
    """

    name: str
    tempos_bpm: tuple[float, float]
    lines: tuple[Line, ...]
    melody: str
    leads: tuple[str, ...]
    harmony: str
    grooves: tuple[Groove, ...] = ()
    kits: tuple[str, ...] = field(default=("rock",))
    beats_per_bar: int = 4
    swing: tuple[float, float] = (0.5, 0.5)
    swing_unit: float = 1.0
    fill: str = "toms"
    crash: bool = True
    anticipate: float = 0.1
    looseness_s: float = 0.004
    duck: bool = False
    plain_end: bool = True


def bass(patterns: str, voices: str, gate: float = 0.85, **more: float) -> Line:
    """A bass line; patterns and voices are parted by spaces."""
    level_db = float(more.get("level_db", 0.0))
    return Line("bass", "bass", tuple(patterns.split()), tuple(voices.split()), 36, gate, level_db)


def walk(voices: str) -> Line:
    """A bass that walks, a note a beat."""
    return Line("bass", "walk", (".",), tuple(voices.split()), 36, 0.9)


def comp(patterns: str, voices: str, gate: float = 0.9, register: int = 62) -> Line:
    """Chords that keep the song going; patterns and voices are parted by spaces."""
    return Line("comp", "chord", tuple(patterns.split()), tuple(voices.split()), register, gate)


def extra(patterns: str, voices: str, gate: float = 0.9, register: int = 67) -> Line:
    """Chords that join in full sections."""
    patterns_, voices_ = tuple(patterns.split()), tuple(voices.split())
    return Line("extra", "chord", patterns_, voices_, register, gate, -2.0)


def pick(patterns: str, voices: str, gate: float = 1.6, register: int = 58) -> Line:
    """Broken chords that keep the song going."""
    return Line("comp", "pick", tuple(patterns.split()), tuple(voices.split()), register, gate)


def arp(patterns: str, voices: str, gate: float = 0.9, register: int = 70) -> Line:
    """Broken chords that join in full sections."""
    patterns_, voices_ = tuple(patterns.split()), tuple(voices.split())
    return Line("extra", "pick", patterns_, voices_, register, gate, -3.0)


def pad(voices: str, register: int = 62) -> Line:
    """A chord a bar, held."""
    return Line("pad", "chord", ("x",), tuple(voices.split()), register, 1.0)
