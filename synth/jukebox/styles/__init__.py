"""The styles that songs are drawn from: dataclasses here, values in the TOML files.

Patterns are text: one character a step, `|` between bars. The steps of a bar follow from its
length; three to a beat are triplets, which swing leaves alone. `.` rests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from synth.tables import read_table

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

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

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

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

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


_FILES = ("band", "club", "roots", "quiet")
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "bass": {"layer": "bass", "kind": "bass", "register": 36, "gate": 0.85},
    "walk": {"layer": "bass", "kind": "walk", "register": 36, "patterns": ["."]},
    # Chords that keep the song going, and chords that join in full sections.
    "comp": {"layer": "comp", "kind": "chord"},
    "extra": {"layer": "extra", "kind": "chord", "register": 67, "level_db": -2.0},
    # The same as broken chords.
    "pick": {"layer": "comp", "kind": "pick", "register": 58, "gate": 1.6},
    "arp": {"layer": "extra", "kind": "pick", "register": 70, "level_db": -3.0},
    # A held chord a bar.
    "pad": {"layer": "pad", "kind": "chord", "gate": 1.0, "patterns": ["x"]},
}
"""Values of a line where the table of a style gives none, by the `part` that the table names."""


@cache
def styles() -> tuple[Style, ...]:
    """Return all styles; songs are drawn from them by position, so their order matters."""
    given = [
        style for name in _FILES for style in read_table(f"jukebox/styles/{name}.toml")["style"]
    ]
    for style in given:
        style["lines"] = [{**_PARTS[line.pop("part")], **line} for line in style["lines"]]
    return TypeAdapter(tuple[Style, ...]).validate_python(given)
