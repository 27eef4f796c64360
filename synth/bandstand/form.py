"""The frame of a song: tempo, metre, key, feel, and the order of its sections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synth.bandstand.styles import styles
from synth.timeline import swung_position

if TYPE_CHECKING:
    from synth.bandstand.styles import Style
    from synth.dice import Dice

_SHORTEST_S, _LONGEST_S = 40.0, 57.4
_LEAD_INS = ("none", "silence", "noise", "pad")


@dataclass(frozen=True)
class Section:
    """A stretch of bars in which the same players play.

    Attributes:
        kind: `intro`, `verse`, `chorus` or `break`.
        first_bar: counted from 0.
        bars: its length.
        drums: `none`, `light` or `full`.
        bass: whether the bass plays.
        lead: whether the melody plays.
        comps: how many of the accompanying parts play, 1 or more.
    """

    kind: str
    first_bar: int
    bars: int
    drums: str
    bass: bool
    lead: bool
    comps: int


@dataclass(frozen=True)
class Form:
    """What holds for the whole song.

    Attributes:
        style: the kind of music.
        tempo_bpm: beats a minute.
        beats_per_bar: 3 or 4.
        swing8: where in a beat its second eighth falls; 0.5 is straight.
        swing16: where in an eighth its second sixteenth falls.
        bars: bars before the last one, which holds the tonic.
        tonic: semitones above C.
        mode: `major` or `minor`.
        tuning_cents: how far the pitched instruments lie above 440 Hz.
        lead_in: sound before the first beat: `none`, `silence`, `noise`, `pad`.
        lead_in_s: its length.
        pickup: beats that are played before the first bar.
        sections: in order.
    """

    style: Style
    tempo_bpm: float
    beats_per_bar: int
    swing8: float
    swing16: float
    bars: int
    tonic: int
    mode: str
    tuning_cents: float
    lead_in: str
    lead_in_s: float
    pickup: float
    sections: tuple[Section, ...] = ()

    @property
    def beat_s(self) -> float:
        """Length of a beat."""
        return 60.0 / self.tempo_bpm

    def at_s(self, beat: float) -> float:
        """Time of a beat, counted from the first bar; eighths and sixteenths swing."""
        total = self.lead_in_s / self.beat_s + self.pickup
        whole = beat // 1
        rest = swung_position(beat - whole, self.swing8)
        eighth = (rest * 2) // 1
        rest = (eighth + swung_position(rest * 2 - eighth, self.swing16)) / 2
        return (total + whole + rest) * self.beat_s

    def grid_s(self, beat: int) -> float:
        """Time of a whole beat."""
        return self.lead_in_s + (self.pickup + beat) * self.beat_s


def draw_form(dice: Dice) -> Form:
    """Draw a style and everything that holds for the whole song."""
    style = dice.weighted(styles(), [style.weight for style in styles()])
    tempo_bpm = round(dice.between(*style.tempo_bpm), 3)
    beats_per_bar = 3 if dice.chance(style.three) else 4
    lead_in = dice.weighted(_LEAD_INS, (0.3, 0.35, 0.15, 0.2))
    lead_in_s = dice.between(0.02, 0.2) if lead_in == "none" else dice.between(0.3, 3.0)
    pickup = dice.pick((0.5, 1.0, 1.5, 2.0)) if dice.chance(0.22) else 0.0
    beat_s = 60 / tempo_bpm
    form = Form(
        style=style,
        tempo_bpm=tempo_bpm,
        beats_per_bar=beats_per_bar,
        swing8=dice.between(*style.swing8),
        swing16=dice.between(*style.swing16) if dice.chance(0.7) else 0.5,
        bars=_draw_bars(dice, beats_per_bar * beat_s, lead_in_s + pickup * beat_s),
        tonic=dice.whole(0, 11),
        mode=dice.pick(("major", "minor")),
        tuning_cents=round(dice.between(-40, 40), 2) if dice.chance(0.5) else 0.0,
        lead_in=lead_in,
        lead_in_s=lead_in_s,
        pickup=pickup,
    )
    return replace(form, sections=_draw_sections(dice, form))


def _draw_bars(dice: Dice, bar_s: float, before_s: float) -> int:
    """Bars, in groups of four, of a song of 40 to 60 s of which `before_s` precede the first."""
    lengths_s = {bars: before_s + (bars + 1) * bar_s for bars in range(8, 80, 4)}
    return dice.pick([n for n, length in lengths_s.items() if _SHORTEST_S <= length <= _LONGEST_S])


def _draw_sections(dice: Dice, form: Form) -> tuple[Section, ...]:
    lengths = _draw_lengths(dice, form.bars)
    kinds = ["verse" if index % 2 == 0 else "chorus" for index in range(len(lengths))]
    if dice.chance(0.6):
        kinds[0] = "intro"
    earliest, latest = 1 + (kinds[0] == "intro"), len(kinds) - 2
    if latest >= earliest and dice.chance(0.65):
        kinds[dice.whole(earliest, latest)] = "break"
    has_bass = not dice.chance(0.12 if form.style.drums else 0.4)
    has_lead = dice.chance(form.style.lead)
    bare_intro = form.style.drums and dice.chance(0.4)
    out, first_bar = [], 0
    for kind, bars in zip(kinds, lengths, strict=True):
        drums = "light" if kind == "intro" or (kind == "verse" and dice.chance(0.3)) else "full"
        if not form.style.drums or kind == "break" or (kind == "intro" and bare_intro):
            drums = "none"
        out.append(
            Section(
                kind=kind,
                first_bar=first_bar,
                bars=bars,
                drums=drums,
                bass=has_bass and (kind in ("verse", "chorus") or dice.chance(0.4)),
                lead=has_lead and dice.chance(0.25 if kind == "intro" else 0.8),
                comps={"intro": 1, "verse": 2, "chorus": 3, "break": dice.whole(1, 2)}[kind],
            )
        )
        first_bar += bars
    return _with_drums(out, form) if form.style.drums else tuple(out)


def _draw_lengths(dice: Dice, bars: int) -> list[int]:
    """Lengths of four or eight bars; fast songs, which have many bars, get longer sections."""
    lengths: list[int] = []
    while (left := bars - sum(lengths)) > 0:
        long = left >= 8 and bars >= 16 and dice.chance(0.3 if bars < 24 else 0.65)
        lengths.append(8 if long else 4)
    return lengths


def _with_drums(sections: list[Section], form: Form) -> tuple[Section, ...]:
    """Let drums into the intro where they would else play in less than six tenths of the song."""
    played = sum(section.bars for section in sections if section.drums != "none")
    if played < 0.6 * form.bars and sections[0].drums == "none":
        sections[0] = replace(sections[0], drums="light")
    played = sum(section.bars for section in sections if section.drums != "none")
    if played < 0.6 * form.bars:
        sections = [replace(s, drums="full") if s.kind == "break" else s for s in sections]
    return tuple(sections)
