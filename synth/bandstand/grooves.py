"""Drum grooves of a song, their fills, and all their hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synth.timeline import hits

if TYPE_CHECKING:
    from synth.bandstand.form import Form, Section
    from synth.bandstand.styles import Groove
    from synth.dice import Dice

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
        grooves["chorus"] = {**grooves["chorus"], **kept}
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
    style = form.style
    drum, pattern = dice.pick(style.snares)
    groove = {"kick": dice.pick(style.kicks), **dice.pick(style.timekeeping)}
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
