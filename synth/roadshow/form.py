"""Sections of a song, and the bars that they are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synth.roadshow.harmony import Chord, chord, progressions

if TYPE_CHECKING:
    from numpy.random import Generator

    from synth.roadshow.styles import Arrangement, Style

_FORMS = {
    "song": (
        "intro verse chorus verse chorus",
        "verse verse chorus break chorus verse chorus",
        "chorus verse chorus break chorus",
        "intro verse verse chorus break verse chorus",
        "verse chorus solo chorus",
    ),
    "dj": (
        "intro verse break chorus verse break chorus",
        "verse chorus break chorus",
        "intro build chorus break build chorus",
    ),
    "blues": ("verse solo verse",),
    "tune": ("verse verse chorus chorus", "intro verse chorus"),
    "solo": ("verse verse chorus verse", "intro verse chorus verse chorus"),
    "clicks": ("verse",),
}
_INTROS = {
    "song": ("drums bass", "comps", "drums comps", "drums bass comps", "drums"),
    "dj": ("drums", "drums bass", "comps bass"),
    "tune": ("comps bass", "drums"),
    "solo": ("comps bass", "bass"),
}
_BREAKS = {"song": ("bass comps lead", "drums", "comps lead", "drums bass comps"),
           "dj": ("comps", "comps lead", "comps bass lead")}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """Part of a song.

    Attributes:
        kind: `intro`, `verse`, `chorus`, `solo`, `break`, `build` or `end`.
        layers: who plays: `drums`, `bass`, `comps`, `lead`.
        energy: 0 to 1.
        groove: drum pattern, a key of `Arrangement.drums`.
        arrangement: what the players play.
        comps: how many lines of `Arrangement.comps` play.
    """

    kind: str
    layers: frozenset[str]
    energy: float
    groove: str
    arrangement: Arrangement
    comps: int


@dataclass(frozen=True)
class Bar:
    """Bar of a song.

    Attributes:
        section: the section that it belongs to.
        number: its place in its section, from 0.
        left: bars that follow it in its section.
        chords: its chords, of equal length in a full bar.
        following: first chord of the next bar.
        period_s: length of a beat in seconds.
        beats: length in beats; less or more than a full bar where the song is irregular.
        count: beats that are counted in it.
        stop: beat from which nothing new sounds.
        hold: whether the last chord before `stop` is held to the end of the bar.
        start: beats before it in the song.
    """

    section: Section
    number: int
    left: int
    chords: tuple[Chord, ...]
    following: Chord
    period_s: float
    beats: float
    count: int
    stop: float
    hold: bool = False
    start: float = 0.0

    def chord_at(self, beat: float) -> Chord:
        """The chord that sounds at a beat of the bar."""
        full = self.section.arrangement.beats
        place = min(len(self.chords) - 1, int(beat / full * len(self.chords) + 1e-6))
        return self.chords[place]


def draw_bars(
    style: Style,
    arrangement: Arrangement,
    period_s: float,
    mode: str,
    shortest_s: float,
    rng: Generator,
) -> list[Bar]:
    """Draw the sections of a song and return their bars, up to 58 s in all."""
    total = max(6, round(rng.uniform(shortest_s, 58) / (period_s * arrangement.beats)))
    kinds = str(rng.choice(_FORMS[style.form])).split()
    unit = 12 if style.form == "blues" else max((u for u in (2, 4, 8) if total / u >= 4), default=2)
    pools = [progressions(group) for group in style.keys.get(mode, ())]
    tunes = _draw_tunes(pools, rng)
    lift = int(rng.integers(1, 3)) if style.name in ("pop", "soul", "gospel") else 0
    lift = lift if rng.random() < 0.15 else 0
    bars: list[Bar] = []
    for turn in range(99):
        kind = kinds[turn] if turn < len(kinds) else kinds[-1 - turn % min(2, len(kinds))]
        section = _section(style, arrangement, kind, turn == 0, rng)
        length = unit // 2 if kind in ("intro", "break", "build") and unit > 2 else unit
        length += int(rng.random() < 0.08) if style.form in ("song", "solo") else 0
        length = min(length, total - len(bars))
        rows = [tunes["chorus" if kind == "chorus" else "verse"][n % 64] for n in range(length)]
        if lift and total - len(bars) - length < unit // 2:
            rows = [tuple(one.raised(lift) for one in row) for row in rows]
        bars += [
            Bar(section, n, length - 1 - n, row, row[-1], period_s, arrangement.beats,
                arrangement.beats, arrangement.beats)
            for n, row in enumerate(rows)
        ]  # fmt: skip
        if len(bars) >= total:
            break
    return _with_ending(bars, style, mode, lift, rng)


def _draw_tunes(
    pools: list[tuple[tuple[tuple[Chord, ...], ...], ...]], rng: Generator
) -> dict[str, list[tuple[Chord, ...]]]:
    if not pools:
        return dict.fromkeys(("verse", "chorus"), [(chord("I"),)] * 64)
    pool = pools[int(rng.integers(len(pools)))]
    verse = pool[int(rng.integers(len(pool)))]
    chorus = pool[int(rng.integers(len(pool)))] if rng.random() < 0.6 else verse
    return {
        part: [row[n % len(row)] for n in range(64)]
        for part, row in (("verse", verse), ("chorus", chorus))
    }


def _section(
    style: Style, arrangement: Arrangement, kind: str, first: bool, rng: Generator
) -> Section:
    everyone = "drums bass comps lead"
    if kind == "intro":
        layers = str(rng.choice(_INTROS[style.form]))
    elif kind == "build":
        layers = "drums comps lead"
    elif kind == "break":
        layers = str(rng.choice(_BREAKS[style.form]))
    elif style.form == "dj" and rng.random() < 0.4:
        layers = "drums bass comps"
    else:
        layers = everyone
    if first and kind == "verse" and rng.random() < 0.25 and arrangement.comps:
        layers = "comps lead bass"
    groove = "verse"
    if kind in ("chorus", "solo") or (kind == "break" and rng.random() < 0.3):
        groove = "chorus"
    if "half" in arrangement.drums and (kind == "break" or rng.random() < 0.15):
        groove, layers = "half", everyone
    parts: dict[str, object] = {"drums": arrangement.drums[groove], "bass": arrangement.bass}
    parts["comps"] = arrangement.comps
    if not any(parts.get(layer) for layer in layers.split()):
        layers = everyone
    energy = {"intro": 0.6, "verse": 0.75, "break": 0.5, "build": 0.65}.get(kind, 1.0)
    full = energy == 1 or style.form == "solo" or rng.random() < 0.4
    comps = len(arrangement.comps) if full else 1
    return Section(kind, frozenset(layers.split()), energy, groove, arrangement, comps)


def _with_ending(bars: list[Bar], style: Style, mode: str, lift: int, rng: Generator) -> list[Bar]:
    if style.form not in ("dj", "clicks") and rng.random() < 0.8:
        last = bars[-1]
        tonic = (chord("I" if mode == "major" else "i").raised(lift),)
        everyone = replace(last.section, kind="end", layers=bars[-1].section.layers | {"comps"})
        bars.append(replace(last, section=everyone, number=0, left=0, chords=tonic))
    after = [bar.chords[0] for bar in bars[1:]] + [bars[-1].chords[0]]
    return [replace(bar, following=one) for bar, one in zip(bars, after, strict=True)]


def placed(bars: list[Bar]) -> list[Bar]:
    """The bars with `start` filled in."""
    start, out = 0.0, []
    for bar in bars:
        out.append(replace(bar, start=start))
        start += bar.beats
    return out
