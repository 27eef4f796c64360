"""Time-stretching and transposition of the sections that clips play."""

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
    from mashup_worker.mixing.plan import Clip, MixSettings, Plan, PlanSource
    from mashup_worker.mixing.plan_grid import PlanGrid

    ChooseEngine = Callable[[str, str], StretchEngine]
    """Returns the engine for a name, or `auto`, and a kind of stem."""

    SpanKey = tuple["StretchSpan", PlanSource, MixSettings, int]

MARGIN_BARS = 0.0625
"""Bars of the source before and after clips, for click-free edges and the engines' windows."""

UNCHANGED = "unchanged"
"""Name in place of an engine where audio is neither stretched nor transposed."""


@dataclass(frozen=True, order=True)
class StretchSettings:
    """Settings that clips must share to be stretched together; `bar_s` is a bar of the mashup."""

    source: str
    bar_s: float
    tempo_factor: float
    semitones: float
    engine: str

    @classmethod
    def of(cls, clip: Clip, grid: PlanGrid) -> StretchSettings:
        """Return the settings of a clip."""
        bar_s = grid.span_at(clip.at_bar).bar_s
        return cls(clip.source, bar_s, round(clip.tempo_factor, 9), clip.semitones, clip.engine)


@dataclass(frozen=True)
class StretchSpan:
    """Consecutive bars of a source that are stretched in one call, margins included."""

    settings: StretchSettings
    from_bar: float
    to_bar: float


@dataclass(frozen=True, eq=False, kw_only=True)
class StretchedSpan:
    """Stretched bars of a source, `(channels, samples)`, at the sample rate of the mashup."""

    span: StretchSpan
    samples: Tensor = field(repr=False)
    samples_per_bar: float
    engine: str

    def cut(self, from_bar: float, lead_samples: int, length_samples: int) -> Tensor:
        """Return samples from a lead before a bar of the source, zero-padded beyond the span."""
        start = self.first_sample(from_bar, lead_samples)
        return _padded_slice(self.samples, start, start + length_samples)

    def first_sample(self, from_bar: float, lead_samples: int) -> int:
        """Return the sample of the span that lies a lead before a bar of the source."""
        return round((from_bar - self.span.from_bar) * self.samples_per_bar) - lead_samples


class StretchedSpans:
    """Stretched spans of the latest rendering, for the next one of the same audio.

    A span is stretched again where its bars, its settings, the grid of its source, or the settings
    of the mix, which filter the sources, differ.
    """

    def __init__(self) -> None:
        self._spans: dict[SpanKey, StretchedSpan] = {}

    def keep_only(self, plan: Plan) -> None:
        """Forget the spans that a plan does not play."""
        played = {self._key(span, plan) for span in stretch_spans(plan.clips, plan.grid)}
        self._spans = {key: one for key, one in self._spans.items() if key in played}

    def stretch(
        self, span: StretchSpan, audio: Audio, plan: Plan, *, choose: ChooseEngine
    ) -> StretchedSpan:
        """Return a span as `stretch_span` does; safe in several threads for different spans."""
        key = self._key(span, plan)
        if key not in self._spans:
            self._spans[key] = stretch_span(span, audio, plan, choose=choose)
        return self._spans[key]

    @staticmethod
    def _key(span: StretchSpan, plan: Plan) -> SpanKey:
        return span, plan.sources[span.settings.source], plan.mix, plan.sample_rate


def stretch_spans(clips: Iterable[Clip], grid: PlanGrid) -> list[StretchSpan]:
    """Return the spans to stretch for clips; clips that overlap in the source share a span."""
    by_settings: dict[StretchSettings, list[tuple[float, float]]] = {}
    for clip in clips:
        bars = (clip.from_bar - MARGIN_BARS, clip.source_end_bar + MARGIN_BARS)
        by_settings.setdefault(StretchSettings.of(clip, grid), []).append(bars)
    return [
        StretchSpan(settings, start, stop)
        for settings, found in by_settings.items()
        for start, stop in _merged(found)
    ]


def _merged(intervals: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def stretch_span(
    span: StretchSpan, audio: Audio, plan: Plan, *, choose: ChooseEngine
) -> StretchedSpan:
    """Stretch and transpose a span of a source that has the sample rate of the mashup."""
    settings, source = span.settings, plan.sources[span.settings.source]
    samples_per_bar = settings.bar_s * audio.sample_rate / settings.tempo_factor
    start, time_map = _time_map(span, source, audio.sample_rate)
    section = _padded_slice(audio.samples, start, start + time_map.source_samples)
    unstretched = Audio(section, audio.sample_rate)
    change = Change(time_map, settings.semitones, keep_formants=is_vocal(source.kind))
    if change.is_nothing:
        return StretchedSpan(
            span=span, samples=section, samples_per_bar=samples_per_bar, engine=UNCHANGED
        )
    engine = choose(settings.engine, source.kind)
    stretched = engine.stretch(unstretched, change)
    return StretchedSpan(
        span=span, samples=stretched.samples, samples_per_bar=samples_per_bar, engine=engine.name
    )


def _time_map(span: StretchSpan, source: PlanSource, sample_rate: int) -> tuple[int, TimeMap]:
    """Return the first sample of a span in its source, and the time map of its samples."""
    bars = source.grid.anchors(span.from_bar, span.to_bar)
    at = [round(source.grid.time_at(bar) * sample_rate) for bar in bars]
    per_bar = span.settings.bar_s * sample_rate / span.settings.tempo_factor
    to = [round((bar - span.from_bar) * per_bar) for bar in bars]
    if len(bars) == 2 and abs(to[1] - (at[1] - at[0])) <= 1:
        to[1] = at[1] - at[0]  # a song at its own tempo passes through unchanged
    return at[0], TimeMap(tuple(one - at[0] for one in at), tuple(to))


def _padded_slice(samples: Tensor, start: int, stop: int) -> Tensor:
    """Return samples from `start` to `stop`, zeros where they lie outside the tensor."""
    inside = samples[:, max(0, start) : max(0, stop)]
    before = max(0, min(-start, stop - start))
    return F.pad(inside, (before, stop - start - before - inside.shape[1]))
