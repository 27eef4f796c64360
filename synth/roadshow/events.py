"""Irregular songs: breaths, edits, changes of tempo, drift and rubato."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from synth.roadshow.form import Section, placed

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from synth.roadshow.form import Bar
    from synth.roadshow.styles import Arrangement, Style

_LONGEST_S = 66.0
_RATIOS = (3 / 4, 4 / 3, 4 / 5, 5 / 4, 1 / 2.1, 2.1, None)


def add_events(bars: list[Bar], event: str, other: Arrangement | None, rng: Generator) -> list[Bar]:
    """Make the bars irregular in the way of `event`.

    Args:
        bars: steady bars.
        event: as in `Style.event`.
        other: arrangement after a change of tempo, or None for the same one.
        rng: where the draws come from.
    """
    if event == "breath":
        bars = _breathe(bars, rng)
    elif event == "edit":
        bars = _edit(bars, rng)
    elif event == "change":
        bars = _change(bars, other, rng)
    while len(bars) > 8 and sum(bar.beats * bar.period_s for bar in bars) > _LONGEST_S:
        del bars[-2]
    return placed(bars)


def _spots(bars: list[Bar], many: int, rng: Generator) -> list[int]:
    """Bars far from the ends of the song and from each other, most of them ends of sections."""
    inner = range(max(2, len(bars) // 5), len(bars) - max(2, len(bars) // 6))
    ends = [n for n in inner if bars[n].left == 0]
    pool = ends if ends and rng.random() < 0.7 else list(inner)
    picks: list[int] = []
    for spot in rng.permutation(pool):
        if all(abs(int(spot) - pick) >= 4 for pick in picks):
            picks.append(int(spot))
    return sorted(picks[:many])


def _uneven(rng: Generator) -> float:
    """1.5 to 3.5 beats, far from a whole number so that the count can't go on through it."""
    low, high = ((1.5, 1.75), (2.3, 2.7), (3.25, 3.5))[int(rng.integers(3))]
    return float(rng.uniform(low, high))


def _breathe(bars: list[Bar], rng: Generator) -> list[Bar]:
    out = list(bars)
    for spot in _spots(bars, int(rng.integers(1, 4)), rng):
        bar, gap = bars[spot], _uneven(rng)
        if rng.random() < 0.5:
            out[spot] = replace(bar, beats=bar.count - 1 + gap, stop=float(bar.count))
        else:
            held = int(rng.choice((0, bar.count // 2, bar.count - 1)))
            out[spot] = replace(bar, beats=held + gap, count=held + 1, stop=float(held), hold=True)
    return out


def _edit(bars: list[Bar], rng: Generator) -> list[Bar]:
    out = list(bars)
    for spot in reversed(_spots(bars, int(rng.integers(1, 4)), rng)):
        bar = bars[spot]
        way = rng.integers(3)
        if way == 0:
            extra = replace(bar, beats=bar.beats / 2, count=bar.count // 2, stop=bar.beats / 2)
            out.insert(spot + 1, extra)
            continue
        length = float(rng.integers(1, bar.count))
        if way == 1:
            length += float(rng.choice((0.5, 0.25, 0.75, rng.uniform(0.25, 0.75))))
        out[spot] = replace(bar, beats=length, count=int(np.ceil(length - 1e-6)), stop=length)
    return out


def _change(bars: list[Bar], other: Arrangement | None, rng: Generator) -> list[Bar]:
    period = bars[0].period_s
    ratio = _RATIOS[int(rng.integers(len(_RATIOS)))] or float(rng.uniform(0.65, 1.5))
    if not _playable(60 / period, ratio):
        ratio = 1 / ratio
    if not _playable(60 / period, ratio):
        period = 60 / 102 * ratio**0.5
    middle = range(int(len(bars) * 0.35), int(len(bars) * 0.68))
    starts = [n for n in middle if bars[n].number == 0] or [len(bars) // 2]
    start = int(rng.choice(starts))
    ease = 2 if rng.random() < 0.25 else 0
    sections: dict[int, Section] = {}
    out = []
    for n, bar in enumerate(bars):
        share = min(1.0, max(0.0, (n - start + ease + 1) / (ease + 1)))
        section = bar.section
        if n >= start and other is not None:
            groove = section.groove if section.groove in other.drums else "verse"
            changed = replace(section, arrangement=other, groove=groove)
            section = sections.setdefault(id(section), changed)
        out.append(replace(bar, period_s=period / ratio**share, section=section))
    return out


def _playable(tempo_bpm: float, ratio: float) -> bool:
    return 55 <= tempo_bpm <= 190 and 55 <= tempo_bpm * ratio <= 190


def beat_lengths(bars: list[Bar], style: Style, event: str, rng: Generator) -> NDArray[np.float64]:
    """How much longer than `Bar.period_s` each counted beat is, as a factor near 1."""
    counts = [bar.count for bar in bars]
    beats = np.arange(sum(counts), dtype=float)
    factors = np.ones(len(beats))
    if event == "rubato":
        factors = _rubato(bars, rng)
    elif event == "drift" or (style.feel != "machine" and rng.random() < 0.5):
        depth = rng.uniform(0.01, 0.02) if event == "drift" else rng.uniform(0.001, 0.004)
        waves = [
            rng.uniform(0.4, 1) * np.sin(2 * np.pi * (beats / rng.uniform(24, 120) + rng.random()))
            for _ in range(3)
        ]
        curve = np.sum(waves, axis=0) + rng.uniform(-1, 1) * np.linspace(-1, 1, len(beats))
        factors = 1 + depth * curve / np.max(np.abs(curve))
    if event != "drift" and style.feel == "loose" and rng.random() < 0.3:
        tail = min(len(beats), 2 * counts[0])
        factors[-tail:] *= np.linspace(1, rng.uniform(1.12, 1.3), tail)
    return factors


def _rubato(bars: list[Bar], rng: Generator) -> NDArray[np.float64]:
    """Phrases that begin slowly, press on, and slow down."""
    factors: list[float] = []
    depth, phrase = rng.uniform(0.06, 0.13), 4 if rng.random() < 0.6 else 2
    for n, bar in enumerate(bars):
        for beat in range(bar.count):
            place = (n % phrase + beat / bar.count) / phrase
            slow = depth * (2 * (2 * place - 0.95) ** 2 - 0.8)
            factors.append(1 + slow + rng.normal(0, 0.025))
        if n % phrase == phrase - 1:
            factors[-1] *= rng.uniform(1.05, 1.3)
    return np.array(factors)
