"""Drum patterns of each style, their fills, and the hits of a whole song.

A pattern has a letter for each sixteenth of a bar: `X` loud, `x` normal, `o` soft, `g` a ghost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samples.synth.timeline import hits

if TYPE_CHECKING:
    from benchmarks.corpus.bandstand.dice import Dice
    from benchmarks.corpus.bandstand.form import Form, Section

Groove = dict[str, str]

_BACK = "....X.......X..."
_FLOOR = "X...X...X...X..."
_EIGHTHS = "x.o.x.o.x.o.x.o."
_QUARTERS = "x...x...x...x..."
_OFF = "..x...x...x...x."
_SIXTEENTHS = "xgogxgogxgogxgog"

# Of each style: kicks, snares (with the drum that plays them), and what keeps time.
_KICKS = {
    "ballad": ("X.......X.X.....", "X.....o.X.......", "X..o....X.....o."),
    "hip-hop": ("X.....X...X.....", "X..X......X..o..", "X.o....x..X.....", "X......X.oX....."),
    "reggae": ("....X.......X...", "....X.......X...", "X...X...X...X...", "X.......X......."),
    "pop": ("X.......X.......", "X.....X.X.......", "X..x....X.x.....", _FLOOR),
    "rock": ("X.......X.X.....", "X.x.....X.x.....", "X......xX.......", "X.....x.X.x....."),
    "disco": (_FLOOR,),
    "trance": (_FLOOR,),
    "funk": ("X.x...x...x..x..", "X..x..x.x.x.....", "X.....xx..x.....", "X..x...x..X..x.."),
    "shuffle": ("X.......X.....x.", "X.......X.......", "X.....x.X.....x."),
    "drum and bass": ("X.........X.....", "X.x.......X.....", "X.........X..o.."),
    "punk": ("X.....x.X.......", "X.....x.X.x.....", "X.x.....X.x....."),
    "waltz": ("X...........", "X...........", "X.....o....."),
    "pop in three": ("X...........", "X.....x.....", "X.........x.", "X..x........"),
}
_SNARES = {
    "ballad": (("snare", _BACK), ("rim", _BACK), ("snare", _BACK)),
    "hip-hop": (("snare", _BACK), ("clap", _BACK), ("snare", "....X..g.g..X...")),
    "reggae": (("rim", _BACK), ("snare", _BACK)),
    "pop": (("snare", _BACK), ("clap", _BACK)),
    "rock": (("snare", _BACK), ("snare", "....X.......X..g")),
    "disco": (("clap", _BACK), ("snare", _BACK)),
    "trance": (("clap", _BACK), ("clap", _BACK), ("snare", "................")),
    "funk": (("snare", "....X..g.g..X..g"), ("snare", "....X..g.g.gX.g."), ("snare", _BACK)),
    "shuffle": (("snare", _BACK), ("snare", "....X.....g.X...")),
    "drum and bass": (("snare", _BACK), ("snare", "....X..g.g..X..g")),
    "punk": (("snare", _BACK),),
    "waltz": (("snare", "....o...o..."), ("rim", "....x...x..."), ("snare", "........o...")),
    "pop in three": (("snare", "....X...X..."), ("snare", "........X..."), ("rim", "....x...x...")),
}
_TIME: dict[str, tuple[Groove, ...]] = {
    "ballad": ({"hat": _EIGHTHS}, {"hat": _SIXTEENTHS}, {"hat": _QUARTERS}, {"ride": _EIGHTHS}),
    "hip-hop": ({"hat": _EIGHTHS}, {"hat": "xoxoxoxoxoxoxoxo"}, {"hat": "x.xox.x.x.xox.xx"}),
    "reggae": ({"hat": _EIGHTHS}, {"hat": "o.x.o.x.o.x.o.x."}, {"hat": _SIXTEENTHS}),
    "pop": (
        {"hat": _EIGHTHS},
        {"hat": _EIGHTHS, "shaker": _SIXTEENTHS},
        {"hat": "x.x.x.x.x.x.x...", "open": "..............x."},
        {"ride": _EIGHTHS},
    ),
    "rock": (
        {"hat": _EIGHTHS},
        {"ride": _QUARTERS},
        {"open": "x.x.x.x.x.x.x.x."},
        {"ride": _EIGHTHS},
    ),
    "disco": (
        {"open": _OFF},
        {"open": _OFF, "hat": _SIXTEENTHS},
        {"open": _OFF, "shaker": _SIXTEENTHS},
        {"open": _OFF, "hat": "x.x.x.x.x.x.x.x."},
    ),
    "trance": (
        {"open": _OFF},
        {"open": _OFF, "hat": _SIXTEENTHS},
        {"open": _OFF, "ride": _QUARTERS},
        {"hat": _OFF},
    ),
    "funk": (
        {"hat": "xoxoxoxoxoxoxoxo"},
        {"hat": _EIGHTHS},
        {"hat": "x.x.x.x.x.x...x.", "open": "............x..."},
    ),
    "shuffle": ({"hat": _EIGHTHS}, {"ride": "x...x.o.x...x.o."}, {"ride": _EIGHTHS}),
    "drum and bass": ({"hat": _EIGHTHS}, {"ride": _EIGHTHS}, {"hat": "x.xox.x.x.xox.xg"}),
    "punk": ({"hat": "x.x.x.x.x.x.x.x."}, {"open": _QUARTERS}, {"ride": _QUARTERS}),
    "waltz": ({"hat": "x...o...o..."}, {"ride": "x...x.o.x..."}, {"hat": "....x...x..."}),
    "pop in three": ({"hat": "x.o.x.o.x.o."}, {"hat": "x...o...o..."}, {"ride": "x.o.o.o.o.o."}),
}

# What a fill plays on the last beat or two before a new section.
_FILLS: tuple[Groove, ...] = (
    {"snare": "xxxX"},
    {"snare": "x.xX"},
    {"snare": "x.xxxxxX"},
    {"snare": "oxxX", "kick": "X..."},
    {"tom": "x.xxx.x."},
    {"tom": "x.x."},
    {"snare": "xx......", "tom": "..xxxxx."},
    {"kick": "X...", "snare": "..xx"},
    {},
)


@dataclass(frozen=True)
class Hit:
    """A stroke on a drum: `beat` counts from the first bar, `velocity` is 0 to 1."""

    drum: str
    beat: float
    velocity: float


def draw_hits(dice: Dice, form: Form) -> list[Hit]:
    """Draw the drums of a song, bar by bar."""
    if not form.style.drums:
        return []
    grooves = {kind: _draw_groove(dice, form) for kind in ("verse", "chorus")}
    if dice.chance(0.6):
        kept = {drum: grooves["verse"][drum] for drum in grooves["verse"] if drum == "kick"}
        grooves["chorus"] |= kept
    fills, crash = dice.between(0.3, 0.9), dice.between(0.2, 0.9)
    out: list[Hit] = []
    for section in form.sections:
        if section.drums == "none":
            continue
        groove = grooves["chorus" if section.kind == "chorus" else "verse"]
        if section.drums == "light":
            groove = _lighten(dice, groove)
        if section.first_bar > 0 and dice.chance(crash):
            out.append(Hit("crash", section.first_bar * form.beats_per_bar, 0.8))
        for bar in range(section.first_bar, section.first_bar + section.bars):
            last = bar == section.first_bar + section.bars - 1
            fill = dice.pick(_FILLS) if last and dice.chance(fills) else {}
            out += _bar(dice, form, bar, groove, fill)
    return out


def end_hits(dice: Dice, form: Form, last: Section) -> list[Hit]:
    """The stroke with which the drums end."""
    if last.drums == "none":
        return []
    beat = form.bars * form.beats_per_bar
    struck = [Hit("kick", beat, 0.95)]
    return [*struck, Hit("crash", beat, 0.9)] if dice.chance(0.7) else struck


def _draw_groove(dice: Dice, form: Form) -> Groove:
    name = form.style.name
    drum, pattern = dice.pick(_SNARES[name])
    groove = {"kick": dice.pick(_KICKS[name])} | dice.pick(_TIME[name])
    if drum == "clap" and dice.chance(0.4):
        groove["snare"] = pattern
    return groove | {drum: pattern}


def _lighten(dice: Dice, groove: Groove) -> Groove:
    """The groove without its snare, without its kick, or with the time only."""
    dropped = dice.pick((("snare", "clap"), ("kick",), ("shaker",), ("snare", "clap", "kick")))
    kept = {drum: pattern for drum, pattern in groove.items() if drum not in dropped}
    return kept or groove


def _bar(dice: Dice, form: Form, bar: int, groove: Groove, fill: Groove) -> list[Hit]:
    start = bar * form.beats_per_bar
    fill_beats = max((len(pattern) for pattern in fill.values()), default=0) / 4
    until = form.beats_per_bar - fill_beats
    out = [
        Hit(drum, start + beat, velocity)
        for drum, pattern in groove.items()
        for beat, velocity in hits(pattern)
        if beat < until or (drum in ("hat", "ride", "shaker") and dice.chance(0.3))
    ]
    if "kick" in groove and form.style.name not in ("disco", "trance") and dice.chance(0.15):
        extra = dice.pick([0.75, 1.5, 1.75, 2.5, 2.75])
        if extra < until:
            out.append(Hit("kick", start + extra, 0.5))
    for drum, pattern in fill.items():
        out += [Hit(drum, start + until + beat, velocity) for beat, velocity in hits(pattern)]
    return [Hit(h.drum, h.beat, min(1.0, h.velocity * dice.between(0.82, 1.12))) for h in out]
