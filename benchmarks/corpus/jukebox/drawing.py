"""Drawing plans: which style, how fast, in which key, in what order.

Nothing is rendered here, so that a table over many songs is cheap.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .grid import Grid
from .harmony import Progression, is_minor, parse_chord, parse_progression, tonic_chord
from .plan import Desk, Opening, Part, Plan, Section
from .progressions import POOLS
from .styles import STYLES, Style

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORTEST_S, _LONGEST_S = 43.0, 65.0
_QUIET_SHARE, _THREE_SHARE = 0.26, 0.2
_T = TypeVar("_T")


def draw_plan(seed: int) -> Plan:
    """The plan of song `seed`."""
    rng = np.random.default_rng([seed, 1])
    style = _draw_style(rng)
    tempo_bpm = float(rng.uniform(*style.tempos_bpm))
    mode = _draw_mode(rng, style)
    opening = _draw_opening(rng, style)
    swing = float(rng.uniform(*style.swing))
    beat_s = 60 / tempo_bpm
    bar0_s = opening.lead_s + opening.pickup_beats * beat_s
    grid = Grid(bar0_s, beat_s, style.beats_per_bar, swing, style.swing_unit)
    return Plan(
        seed=seed,
        style=style,
        tempo_bpm=tempo_bpm,
        tonic=int(rng.integers(12)),
        mode=mode,
        tuning_cents=float(rng.uniform(-40, 40)) if rng.random() < 0.5 else 0.0,
        grid=grid,
        opening=opening,
        sections=_draw_sections(rng, style, mode, _draw_bars(rng, grid)),
        grooves=tuple(style.grooves[int(i)] for i in rng.integers(len(style.grooves), size=2))
        if style.grooves
        else (),
        kit=_pick(rng, style.kits),
        parts=tuple(
            Part(line, _pick(rng, line.patterns), _pick(rng, line.voices)) for line in style.lines
        ),
        lead=None if style.melody == "none" else _pick(rng, style.leads),
        ending="button" if rng.random() < 0.5 else "hold",
        desk=_draw_desk(rng, style),
    )


def _pick(rng: np.random.Generator, options: Sequence[_T]) -> _T:
    return options[int(rng.integers(len(options)))]


def _draw_style(rng: np.random.Generator) -> Style:
    quiet, three = rng.random() < _QUIET_SHARE, rng.random() < _THREE_SHARE
    fitting = [
        style
        for style in STYLES
        if (not style.grooves) == quiet and (style.beats_per_bar == 3) == three
    ]
    return fitting[int(rng.integers(len(fitting)))]


def _draw_mode(rng: np.random.Generator, style: Style) -> str:
    minor = rng.random() < 0.5
    modes = [mode for mode in POOLS[style.harmony] if is_minor(mode) == minor]
    coloured = [mode for mode in modes if mode not in ("major", "minor")]
    if coloured and rng.random() < 0.2:
        return coloured[0]
    return "minor" if minor else "major"


def _draw_opening(rng: np.random.Generator, style: Style) -> Opening:
    lead = ("silence", "room", "pad")[int(rng.choice(3, p=(0.5, 0.38, 0.12)))]
    lead_s = float(rng.uniform(1.2 if lead == "pad" else 0.0, 3.0))
    kinds, shares = ["none", "melody", "drums", "clicks"], [0.55, 0.27, 0.1, 0.08]
    if not style.grooves:
        kinds, shares = ["none", "melody"], [0.65, 0.35]
    kind = kinds[int(rng.choice(len(kinds), p=shares))]
    if kind == "melody" and style.melody == "none":
        kind = "none"
    lengths: dict[str, tuple[float, ...]] = {
        "none": (0.0,),
        "melody": (0.5, 1.0, 1.0, 1.5, 2.0),
        "drums": (1.0, 2.0),
    }
    beats = _pick(rng, lengths.get(kind, (float(style.beats_per_bar),)))
    return Opening(lead_s, lead, beats, kind)


def _draw_bars(rng: np.random.Generator, grid: Grid) -> int:
    """Bars before the last one: a multiple of four that makes a song of the length wanted."""
    bar_s = grid.beats_per_bar * grid.beat_s
    wanted_s = rng.uniform(_SHORTEST_S, _LONGEST_S) - grid.bar0_s
    bars = max(2, round(wanted_s / bar_s / 4)) * 4
    while grid.bar0_s + (bars + 1) * bar_s > _LONGEST_S:
        bars -= 4
    # A long bar may leave too short a song; two bars more are still a phrase.
    return bars if grid.bar0_s + (bars + 1) * bar_s > _SHORTEST_S - 2 else bars + 2


def _section_lengths(rng: np.random.Generator, bars: int) -> list[tuple[str, int]]:
    unit = 8 if bars >= 28 else 4
    intro = int(rng.choice((0, 2, 4, 4) if bars >= 20 else (0, 0, 2, 4)))
    lengths = [("intro", intro)] if intro else []
    left = bars - intro
    order = ("verse", "chorus", "break", "verse", "chorus")
    if rng.random() < 0.35:
        order = ("verse", "verse", "chorus", "break", "chorus")
    names = itertools.cycle(order)
    while left:
        name = next(names)
        wanted = int(rng.choice((2, 4))) if name == "break" else unit
        length = left if left - wanted < 3 else wanted
        lengths.append(("chorus" if length == left and name == "break" else name, length))
        left -= length
    return lengths


def _draw_layers(rng: np.random.Generator, name: str, style: Style) -> frozenset[str]:
    if name == "verse":
        layers = "drums bass comp melody" + (" pad" if rng.random() < 0.4 else "")
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
        layers = _pick(rng, options)
    kept = frozenset(layers.split()) - (frozenset() if style.grooves else {"drums"})
    return kept - {"melody"} if style.melody == "none" else kept


def _draw_sections(
    rng: np.random.Generator, style: Style, mode: str, bars: int
) -> tuple[Section, ...]:
    verse, chorus = _draw_progressions(rng, style, mode)
    sections: list[Section] = []
    played = {verse: 0, chorus: 0}
    first = 0
    for name, length in _section_lengths(rng, bars):
        source = chorus if name == "chorus" else verse
        # Long forms run on where the last section of their kind left them.
        start = played[source] if len(source) > 4 else 0
        chords = tuple(source[(start + i) % len(source)] for i in range(length))
        if name in ("verse", "chorus") or len(source) > 8:
            played[source] += length
        loudness = {"verse": 0.9, "chorus": 1.05, "intro": 0.85}.get(name, 0.8)
        layers = _draw_layers(rng, name, style)
        groove = 1 if name == "chorus" else 0
        sections.append(Section(name, first, chords, layers, loudness, groove))
        first += length
    if rng.random() < 0.7:
        sections[-1] = _to_dominant(sections[-1])
    tonic = tonic_chord(mode, plain=style.plain_end)
    absent = (set() if style.grooves else {"drums"}) | (
        {"melody"} if style.melody == "none" else set()
    )
    layers = frozenset(("drums", "bass", "comp", "pad", "melody")) - absent
    return (*sections, Section("end", first, ((tonic,),), layers, 1.0, 0))


def _draw_progressions(
    rng: np.random.Generator, style: Style, mode: str
) -> tuple[Progression, Progression]:
    """Verse and chorus. A verse starts from the tonic; one of a long form serves as both."""
    pool = [parse_progression(text) for text in POOLS[style.harmony][mode]]
    verse = _pick(rng, [progression for progression in pool if progression[0][0].root == 0])
    chorus = _pick(rng, pool)
    return verse, verse if len(verse) > 8 else chorus


def _to_dominant(section: Section) -> Section:
    """`section` with the dominant in its last bar."""
    jazzy = len(section.chords[-1][0].intervals) > 3
    dominant = (parse_chord("G7" if jazzy else "G"),)
    return replace(section, chords=(*section.chords[:-1], dominant))


def _draw_desk(rng: np.random.Generator, style: Style) -> Desk:
    layers = ("bass", "comp", "extra", "pad", "melody")
    return Desk(
        # What machines play is mixed about its drums.
        drums_db=float(rng.uniform(-4 if style.looseness_s <= 0.002 else -8, 4)),
        band_db={layer: float(rng.uniform(-3, 3)) for layer in layers},
        reverb_s=float(rng.uniform(0.4, 1.2 if style.grooves else 2.2)),
        wet=float(rng.uniform(0.03, 0.16 if style.grooves else 0.28)),
        ratio=float(rng.uniform(1.0, 3.5)),
        peak=float(rng.uniform(0.4, 0.97)),
        fades=bool(rng.random() < 0.12),
    )
