"""Draw of a song: style, arrangement, tempo, key, bars, and the clock that they follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synth.roadshow.events import add_events, beat_lengths
from synth.roadshow.form import draw_bars
from synth.roadshow.harmony import TONICS
from synth.roadshow.styles import style_named, styles

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from synth.roadshow.form import Bar
    from synth.roadshow.styles import Style


@dataclass(frozen=True)
class Plan:
    """Everything about a song but its notes.

    Attributes:
        name: style of the truth.
        style: the style whose tables are played.
        bars: all bars, in order.
        tonic: 0 for C to 11 for B.
        mode: `major` or `minor`.
        tuning_cents: how far A lies from 440 Hz.
        swing: where the second half of a beat, or of an eighth, begins.
        marks_beats: positions at which the clock is set, in beats of the song.
        marks_s: when they are, in seconds.
        counted: positions of the beats, those of a bar before the first included.
        opening: `plain`, `pickup`, `fill`, `sticks`, or `late`: within the first bar.
        fades: whether the song is faded out.
        spliced: positions at which all sound is cut off.
    """

    name: str
    style: Style
    bars: tuple[Bar, ...]
    tonic: int
    mode: str
    tuning_cents: float
    swing: float
    marks_beats: NDArray[np.float64]
    marks_s: NDArray[np.float64]
    counted: NDArray[np.float64]
    opening: str
    fades: bool
    spliced: tuple[float, ...]

    def time_s(self, bar: Bar, beat: float) -> float:
        """When a beat of a bar is, swing included."""
        return float(np.interp(bar.start + self._swung(beat), self.marks_beats, self.marks_s))

    def _swung(self, beat: float) -> float:
        scale = 2.0 if self.style.swing_sixteenths else 1.0
        whole, part = divmod(beat * scale + 1e-9, 1.0)
        late = 2 * part * self.swing if part < 0.5 else 1 - 2 * (1 - part) * (1 - self.swing)
        return float(whole + late) / scale


def draw_plan(seed: int) -> Plan:
    """Draw song number `seed`; styles take turns, and arrangements within a style."""
    table = styles()
    named, turn = table[seed % len(table)], seed // len(table)
    rng = np.random.default_rng([seed, 20261])
    style = style_named(named.base[turn % len(named.base)]) if named.base else named
    choice = int(rng.integers(len(style.arrangements))) if named.base else turn
    arrangement = style.arrangements[choice % len(style.arrangements)]
    tempo = float(np.exp(rng.uniform(*np.log(arrangement.tempo))))
    if style.feel == "machine" and rng.random() < 0.7:
        tempo = float(round(tempo))
    mode = str(rng.choice(sorted(style.keys))) if style.keys else "major"
    shortest_s = 46 if named.event == "change" else 34
    bars = draw_bars(style, arrangement, 60 / tempo, mode, shortest_s, rng)
    alike = [one for one in style.arrangements if one.beats == arrangement.beats]
    other = alike[int(rng.integers(len(alike)))] if rng.random() < 0.5 else None
    bars = add_events(bars, named.event, other, rng)
    factors = beat_lengths(bars, style, named.event, rng)
    marks, times, counted = _clock(bars, factors)
    return Plan(
        name=named.name,
        style=style,
        bars=tuple(bars),
        tonic=int(rng.integers(len(TONICS))),
        mode=mode,
        tuning_cents=_tuning(rng) if style.keys else 0.0,
        swing=float(rng.uniform(*style.swing)),
        marks_beats=marks,
        marks_s=times,
        counted=counted,
        opening=_opening(style, bars, rng),
        fades=style.form != "clicks" and _fades(bars, rng),
        spliced=_splices(bars, named.event),
    )


def _fades(bars: list[Bar], rng: Generator) -> bool:
    return bars[-1].section.kind != "end" and bool(rng.random() < 0.5)


def _tuning(rng: Generator) -> float:
    return float(round(rng.uniform(-40, 40), 1)) if rng.random() < 0.35 else 0.0


def _splices(bars: list[Bar], event: str) -> tuple[float, ...]:
    if event != "edit":
        return ()
    return tuple(bar.start + bar.beats for bar in bars if bar.beats < bar.section.arrangement.beats)


def _opening(style: Style, bars: list[Bar], rng: Generator) -> str:
    if style.form == "clicks":
        return "plain"
    choices = ["plain", "plain", "plain", "plain", "pickup", "pickup", "late"]
    if bars[0].section.arrangement.drums["verse"] and style.feel != "machine":
        choices += ["fill", "fill", "sticks"]
    return str(rng.choice(choices))


def _clock(
    bars: list[Bar], factors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Marks of the clock at every counted beat, at the end of the song, and their positions."""
    before = bars[0].section.arrangement.beats
    positions = [float(beat) for beat in range(-before, 0)]
    times = [beat * bars[0].period_s for beat in positions]
    now, number = 0.0, 0
    for bar in bars:
        for beat in range(bar.count):
            positions.append(bar.start + beat)
            times.append(now)
            length = 1.0 if beat < bar.count - 1 else bar.beats - beat
            now += length * bar.period_s * factors[number]
            number += 1
    end = bars[-1].start + bars[-1].beats
    marks = [*positions, end, end + 16]
    return (
        np.array(marks),
        np.array([*times, now, now + 16 * bars[-1].period_s]),
        np.array(positions),
    )
