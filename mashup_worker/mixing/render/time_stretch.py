"""Bars of a source at the tempo and the pitch of the mashup."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch.nn.functional as F

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.mixing.song import is_vocal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from mashup_worker.dsp.stretch.engine import StretchEngine
    from mashup_worker.mixing.plan import Clip, Grid, Plan, Source

    ChooseEngine = Callable[[str, str], StretchEngine]
    """The engine for a name, which may be `auto`, and a kind of stem."""

MARGIN_BARS = 0.0625
"""Of the source, on both sides of what clips play: for edges that do not click, and for engines."""

AS_IT_WAS = "as it was"
"""What is said in place of an engine where nothing had to change."""


@dataclass(frozen=True, order=True)
class Treatment:
    """What clips have in common that can be stretched in one go.

    Attributes:
        source: what they play.
        tempo_factor: bars of the source a bar of the mashup.
        semitones: how far the pitch moves.
        engine: what they ask for.
    """

    source: str
    tempo_factor: float
    semitones: float
    engine: str

    @classmethod
    def of(cls, clip: Clip) -> Treatment:
        """The treatment of a clip."""
        return cls(clip.source, round(clip.tempo_factor, 9), clip.semitones, clip.engine)


@dataclass(frozen=True)
class Stretch:
    """Bars of a source that are to be stretched in one go, margins included."""

    treatment: Treatment
    from_bar: float
    to_bar: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """Bars of a source, ready to be placed.

    Attributes:
        stretch: which bars.
        samples: shape `(channels, samples)`, at the rate of the mashup.
        samples_per_bar: samples a bar of the source, as it is now.
        engine: what stretched them.
    """

    stretch: Stretch
    samples: Tensor = field(repr=False)
    samples_per_bar: float
    engine: str

    def cut(self, from_bar: float, lead_samples: int, length_samples: int) -> Tensor:
        """So many samples from `lead_samples` before a bar of the source on."""
        start = round((from_bar - self.stretch.from_bar) * self.samples_per_bar) - lead_samples
        stop = start + length_samples
        inside = self.samples[:, max(0, start) : max(0, stop)]
        before = max(0, min(-start, length_samples))
        return F.pad(inside, (before, length_samples - before - inside.shape[1]))


def stretches(clips: Iterable[Clip]) -> list[Stretch]:
    """What has to be stretched for clips: bars that several of them play once only."""
    spans: dict[Treatment, list[tuple[float, float]]] = {}
    for clip in clips:
        span = (clip.from_bar - MARGIN_BARS, clip.from_bar + clip.source_bars + MARGIN_BARS)
        spans.setdefault(Treatment.of(clip), []).append(span)
    return [
        Stretch(treatment, start, stop)
        for treatment, found in spans.items()
        for start, stop in _united(found)
    ]


def _united(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    united: list[tuple[float, float]] = []
    for start, stop in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(stop, united[-1][1]))
        else:
            united.append((start, stop))
    return united


def fit(stretch: Stretch, sound: Audio, plan: Plan, choose: ChooseEngine) -> Fitted:
    """Stretch bars of a source.

    Args:
        stretch: which bars.
        sound: the whole source, at the rate of the mashup.
        plan: what it is for.
        choose: finds engines.
    """
    treatment, source = stretch.treatment, plan.sources[stretch.treatment.source]
    samples_per_bar = plan.grid.bar_s * sound.rate_hz / treatment.tempo_factor
    start, time_map = _time_map(stretch, source, plan.grid, sound.rate_hz)
    piece = Audio(_between(sound.samples, start, start + time_map.source_samples), sound.rate_hz)
    change = Change(time_map, treatment.semitones, keep_formants=is_vocal(source.kind))
    if change.is_nothing:
        return Fitted(stretch, piece.samples, samples_per_bar, AS_IT_WAS)
    engine = choose(treatment.engine, source.kind)
    return Fitted(stretch, engine.stretch(piece, change).samples, samples_per_bar, engine.name)


def _time_map(stretch: Stretch, source: Source, grid: Grid, rate_hz: int) -> tuple[int, TimeMap]:
    """The sample of the source where the bars begin, and where their samples go."""
    bars = source.grid.anchors(stretch.from_bar, stretch.to_bar)
    at = [round(source.grid.time_at(bar) * rate_hz) for bar in bars]
    per_bar = grid.bar_s * rate_hz / stretch.treatment.tempo_factor
    to = [round((bar - stretch.from_bar) * per_bar) for bar in bars]
    if len(bars) == 2 and abs(to[1] - (at[1] - at[0])) <= 1:
        to[1] = at[1] - at[0]  # a song at its own tempo stays as it is, to the sample
    return at[0], TimeMap(tuple(one - at[0] for one in at), tuple(to))


def _between(samples: Tensor, start: int, stop: int) -> Tensor:
    """Samples from `start` to `stop`; silence before and after the sound."""
    inside = samples[:, max(0, start) : max(0, stop)]
    before = max(0, min(-start, stop - start))
    return F.pad(inside, (before, stop - start - before - inside.shape[1]))
