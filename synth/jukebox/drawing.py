"""Drawing plans: which style, how fast, in which key, in what order.

Nothing is rendered here, so that a table over many songs is cheap.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from synth.dice import Dice
from synth.jukebox.grid import Grid
from synth.jukebox.harmony import Progression, parse_chord, parse_progression, tonic_chord
from synth.jukebox.plan import Desk, Opening, Part, Plan, Section
from synth.jukebox.styles import Style, styles
from synth.keys import is_minor
from synth.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHORTEST_S, _LONGEST_S = 43.0, 65.0
_QUIET_SHARE, _THREE_SHARE = 0.26, 0.2


def draw_plan(seed: int) -> Plan:
    """The plan of song `seed`."""
    dice = Dice(seed, 1)
    style = _draw_style(dice)
    tempo_bpm = dice.between(*style.tempos_bpm)
    mode = _draw_mode(dice, style)
    opening = _draw_opening(dice, style)
    swing = dice.between(*style.swing)
    beat_s = 60 / tempo_bpm
    bar0_s = opening.lead_s + opening.pickup_beats * beat_s
    grid = Grid(bar0_s, beat_s, style.beats_per_bar, swing, style.swing_unit)
    return Plan(
        seed=seed,
        style=style,
        tempo_bpm=tempo_bpm,
        tonic=dice.whole(0, 11),
        mode=mode,
        tuning_cents=dice.between(-40, 40) if dice.chance(0.5) else 0.0,
        grid=grid,
        opening=opening,
        sections=_draw_sections(dice, style, mode, _draw_bars(dice, grid)),
        grooves=(dice.pick(style.grooves), dice.pick(style.grooves)) if style.grooves else (),
        kit=dice.pick(style.kits),
        parts=tuple(
            Part(line, dice.pick(line.patterns), dice.pick(line.voices)) for line in style.lines
        ),
        lead=None if style.melody == "none" else dice.pick(style.leads),
        ending="button" if dice.chance(0.5) else "hold",
        desk=_draw_desk(dice, style),
    )


@cache
def _pools() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Progressions by pool and mode."""
    return read_table("jukebox/progressions.toml")


def _draw_style(dice: Dice) -> Style:
    quiet, three = dice.chance(_QUIET_SHARE), dice.chance(_THREE_SHARE)
    fitting = [
        style
        for style in styles()
        if (not style.grooves) == quiet and (style.beats_per_bar == 3) == three
    ]
    return dice.pick(fitting)


def _draw_mode(dice: Dice, style: Style) -> str:
    minor = dice.chance(0.5)
    modes = [mode for mode in _pools()[style.harmony] if is_minor(mode) == minor]
    colored = [mode for mode in modes if mode not in ("major", "minor")]
    if colored and dice.chance(0.2):
        return colored[0]
    return "minor" if minor else "major"


def _draw_opening(dice: Dice, style: Style) -> Opening:
    lead = dice.weighted(("silence", "room", "pad"), (0.5, 0.38, 0.12))
    lead_s = dice.between(1.2 if lead == "pad" else 0.0, 3.0)
    kinds, shares = ["none", "melody", "drums", "clicks"], [0.55, 0.27, 0.1, 0.08]
    if not style.grooves:
        kinds, shares = ["none", "melody"], [0.65, 0.35]
    kind = dice.weighted(kinds, shares)
    if kind == "melody" and style.melody == "none":
        kind = "none"
    lengths: dict[str, tuple[float, ...]] = {
        "none": (0.0,),
        "melody": (0.5, 1.0, 1.0, 1.5, 2.0),
        "drums": (1.0, 2.0),
    }
    beats = dice.pick(lengths.get(kind, (float(style.beats_per_bar),)))
    return Opening(lead_s, lead, beats, kind)


def _draw_bars(dice: Dice, grid: Grid) -> int:
    """Bars before the last one: a multiple of four that makes a song of the length wanted."""
    bar_s = grid.beats_per_bar * grid.beat_s
    wanted_s = dice.between(_SHORTEST_S, _LONGEST_S) - grid.bar0_s
    bars = max(2, round(wanted_s / bar_s / 4)) * 4
    while grid.bar0_s + (bars + 1) * bar_s > _LONGEST_S:
        bars -= 4
    # A long bar may leave too short a song; two bars more are still a phrase.
    return bars if grid.bar0_s + (bars + 1) * bar_s > _SHORTEST_S - 2 else bars + 2


def _section_lengths(dice: Dice, bars: int) -> list[tuple[str, int]]:
    unit = 8 if bars >= 28 else 4
    intro = dice.pick((0, 2, 4, 4) if bars >= 20 else (0, 0, 2, 4))
    lengths = [("intro", intro)] if intro else []
    left = bars - intro
    order = ("verse", "chorus", "break", "verse", "chorus")
    if dice.chance(0.35):
        order = ("verse", "verse", "chorus", "break", "chorus")
    names = itertools.cycle(order)
    while left:
        name = next(names)
        wanted = dice.pick((2, 4)) if name == "break" else unit
        length = left if left - wanted < 3 else wanted
        lengths.append(("chorus" if length == left and name == "break" else name, length))
        left -= length
    return lengths


def _draw_layers(dice: Dice, name: str, style: Style) -> frozenset[str]:
    if name == "verse":
        layers = "drums bass comp melody" + (" pad" if dice.chance(0.4) else "")
    elif name == "chorus":
        layers = "drums bass comp extra pad melody"
    else:
        drummed = (
            (
                "drums",
                "drums comp",
                "drums bass",
                "comp",
                "comp bass",
                "comp pad",
                "drums bass comp",
            )
            if name == "intro"
            else ("comp melody", "comp bass", "comp pad bass melody", "drums", "drums bass", "comp")
        )
        options = drummed if style.grooves else ("comp", "comp bass", "comp bass melody")
        layers = dice.pick(options)
    kept = frozenset(layers.split()) - (frozenset() if style.grooves else {"drums"})
    return kept - {"melody"} if style.melody == "none" else kept


def _draw_sections(dice: Dice, style: Style, mode: str, bars: int) -> tuple[Section, ...]:
    verse, chorus = _draw_progressions(dice, style, mode)
    sections: list[Section] = []
    played = {verse: 0, chorus: 0}
    first = 0
    for name, length in _section_lengths(dice, bars):
        source = chorus if name == "chorus" else verse
        # Long forms run on where the last section of their kind left them.
        start = played[source] if len(source) > 4 else 0
        chords = tuple(source[(start + i) % len(source)] for i in range(length))
        if name in ("verse", "chorus") or len(source) > 8:
            played[source] += length
        loudness = {"verse": 0.9, "chorus": 1.05, "intro": 0.85}.get(name, 0.8)
        layers = _draw_layers(dice, name, style)
        groove = 1 if name == "chorus" else 0
        sections.append(Section(name, first, chords, layers, loudness, groove))
        first += length
    if dice.chance(0.7):
        sections[-1] = _to_dominant(sections[-1])
    tonic = tonic_chord(mode, plain=style.plain_end)
    absent = (set() if style.grooves else {"drums"}) | (
        {"melody"} if style.melody == "none" else set()
    )
    layers = frozenset(("drums", "bass", "comp", "pad", "melody")) - absent
    return (*sections, Section("end", first, ((tonic,),), layers, 1.0, 0))


def _draw_progressions(dice: Dice, style: Style, mode: str) -> tuple[Progression, Progression]:
    """Verse and chorus. A verse starts from the tonic; one of a long form serves as both."""
    pool = [parse_progression(text) for text in _pools()[style.harmony][mode]]
    verse = dice.pick([progression for progression in pool if progression[0][0].root == 0])
    chorus = dice.pick(pool)
    return verse, verse if len(verse) > 8 else chorus


def _to_dominant(section: Section) -> Section:
    """`section` with the dominant in its last bar."""
    jazzy = len(section.chords[-1][0].intervals) > 3
    dominant = (parse_chord("G7" if jazzy else "G"),)
    return replace(section, chords=(*section.chords[:-1], dominant))


def _draw_desk(dice: Dice, style: Style) -> Desk:
    layers = ("bass", "comp", "extra", "pad", "melody")
    return Desk(
        # What machines play is mixed about its drums.
        drums_db=dice.between(-4 if style.looseness_s <= 0.002 else -8, 4),
        band_db={layer: dice.between(-3, 3) for layer in layers},
        reverb_s=dice.between(0.4, 1.2 if style.grooves else 2.2),
        wet=dice.between(0.03, 0.16 if style.grooves else 0.28),
        ratio=dice.between(1.0, 3.5),
        peak=dice.between(0.4, 0.97),
        fades=dice.chance(0.12),
    )
