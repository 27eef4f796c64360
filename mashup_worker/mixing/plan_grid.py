"""Bars of a mashup, whose tempo may change on bar lines."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mashup_worker.vocabulary import TEMPO_BPM

MAX_BARS = 2_000

Tempo = Annotated[float, Field(ge=TEMPO_BPM.low, le=TEMPO_BPM.high)]
Bar = Annotated[float, Field(ge=0, le=MAX_BARS)]


class PlanModel(BaseModel):
    """Base of all parts of a plan: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TempoSpan(NamedTuple):
    """Consecutive bars of one tempo, and the time at which they begin."""

    at_bar: float
    end_bar: float
    start_s: float
    tempo_bpm: float
    bar_s: float

    @property
    def stop_s(self) -> float:
        """Time at which the bars end."""
        return self.start_s + (self.end_bar - self.at_bar) * self.bar_s


class PlanGrid(PlanModel):
    """Bars of the mashup; bar 0 begins at the first sample.

    `tempo_changes` are bars, in ascending order, and the tempo from there on.
    """

    tempo_bpm: Tempo
    beats_per_bar: Literal[3, 4]
    bars: Annotated[int, Field(ge=1, le=MAX_BARS)]
    tempo_changes: tuple[tuple[Bar, Tempo], ...] = ()

    @model_validator(mode="after")
    def _validate(self) -> Self:
        edges = [0.0, *(bar for bar, _ in self.tempo_changes), float(self.bars)]
        if any(left >= right for left, right in pairwise(edges)):
            raise ValueError("tempo_changes: their bars must ascend between 0 and the last bar")
        return self

    @cached_property
    def spans(self) -> tuple[TempoSpan, ...]:
        """The mashup, divided at its changes of tempo."""
        starts = [(0.0, self.tempo_bpm), *self.tempo_changes]
        ends = [bar for bar, _ in self.tempo_changes] + [float(self.bars)]
        spans: list[TempoSpan] = []
        for (at_bar, tempo_bpm), end_bar in zip(starts, ends, strict=True):
            start_s = spans[-1].stop_s if spans else 0.0
            bar_s = 60.0 * self.beats_per_bar / tempo_bpm
            spans.append(TempoSpan(at_bar, end_bar, start_s, tempo_bpm, bar_s))
        return tuple(spans)

    @property
    def duration_s(self) -> float:
        """Duration of the mashup."""
        return self.spans[-1].stop_s

    def span_at(self, bar: float) -> TempoSpan:
        """Return the bars of one tempo in which a bar lies; the outermost beyond the ends."""
        return self.spans[bisect_right([change for change, _ in self.tempo_changes], bar + 1e-9)]

    def time_at(self, bar: float) -> float:
        """Return the time of a bar, extrapolated beyond the ends."""
        span = self.span_at(bar)
        return span.start_s + (bar - span.at_bar) * span.bar_s

    def bar_at(self, time_s: float) -> float:
        """Return the position of a time in bars, extrapolated beyond the ends."""
        span = self.spans[max(0, bisect_right([one.start_s for one in self.spans], time_s) - 1)]
        return span.at_bar + (time_s - span.start_s) / span.bar_s

    def sample_at(self, bar: float, sample_rate: int) -> int:
        """Return the first sample of a bar."""
        return round(self.time_at(bar) * sample_rate)
