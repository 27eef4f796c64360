"""Plan of a mashup: its bars, sources, clips and settings.

Positions are bars from 0, of the mashup or, where stated, of a source. Fractions are allowed.
`plan_document` reads and writes plans as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mashup_worker.analysis.key_names import KEYS
from mashup_worker.dsp.stretch.choose import ENGINE_NAMES
from mashup_worker.mixing.grid import FixedTempoGrid, SongGrid, VariableTempoGrid
from mashup_worker.mixing.plan_grid import MAX_BARS, Bar, PlanGrid, PlanModel, Tempo
from mashup_worker.mixing.stretch_limit import (
    MAX_STRETCH,
    format_speed_change,
    is_within_stretch_limit,
)
from mashup_worker.mixing.vibes import VIBES
from mashup_worker.vocabulary import (
    DEFAULT_LOUDNESS_LUFS,
    DEFAULT_MOST_LIMITING_DB,
    DEFAULT_TRUE_PEAK_DBTP,
    LOUDNESS_LUFS,
    TRUE_PEAK_DBTP,
    FormName,
    TransitionName,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Literal[1] = 1

_RATIO_TOLERANCE = 1e-3
_MIN_CLIP_BARS = 0.01

Loudness = Annotated[float, Field(ge=LOUDNESS_LUFS.low, le=LOUDNESS_LUFS.high)]
TruePeak = Annotated[float, Field(ge=TRUE_PEAK_DBTP.low, le=TRUE_PEAK_DBTP.high)]
Semitones = Annotated[float, Field(ge=-12, le=12)]
Gain = Annotated[float, Field(ge=-60, le=24)]
Seconds = Annotated[float, Field(ge=-600, le=36_000)]
SourceBar = Annotated[float, Field(ge=-MAX_BARS, le=10 * MAX_BARS)]
Bars = Annotated[float, Field(ge=_MIN_CLIP_BARS, le=MAX_BARS)]
SourceBars = Annotated[float, Field(ge=_MIN_CLIP_BARS, le=4 * MAX_BARS)]
Parameter = Literal["gain_db", "bass_db", "high_pass_hz", "low_pass_hz"]

LOW_PASS_OPEN_HZ = 20_000.0
"""Cutoff at which a low-pass filter has no effect."""


class PlanSource(PlanModel):
    """Stem that clips are taken from, with its beats.

    A relative path starts at the plan's folder; the digest detects a replaced file. `beats_s` are
    given for a variable tempo only, whose mean is `tempo_bpm`; they begin with bar 0.
    """

    path: Annotated[str, Field(min_length=1)]
    sha256: str | None = None
    kind: Annotated[str, Field(min_length=1)]
    song: Annotated[str, Field(min_length=1)]
    tempo_bpm: Tempo
    beats_per_bar: Literal[3, 4]
    first_downbeat_s: Seconds
    beats_s: tuple[Seconds, ...] = ()

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if "\0" in self.path:
            raise ValueError("path: it contains a null byte; name an existing file")
        if self.beats_s and (
            len(self.beats_s) < 2
            or any(b - a < 0.1 for a, b in zip(self.beats_s, self.beats_s[1:], strict=False))
        ):
            raise ValueError("beats_s: beats must ascend in steps of at least 0.1 s")
        return self

    @property
    def grid(self) -> SongGrid:
        """Its bars."""
        if self.beats_s:
            return VariableTempoGrid(self.beats_s, self.beats_per_bar)
        return FixedTempoGrid(self.tempo_bpm, self.beats_per_bar, self.first_downbeat_s)


class Automation(PlanModel):
    """Curve of one parameter during a clip; `bass_db` is the gain below 180 Hz.

    Points are bars of the mashup in ascending order, each with a value. Values between them are
    interpolated, frequencies by octaves; the outermost values extend beyond the ends.
    """

    parameter: Parameter
    points: Annotated[tuple[tuple[SourceBar, float], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _validate(self) -> Self:
        bars = [bar for bar, _ in self.points]
        if bars != sorted(bars):
            raise ValueError("points: their bars must ascend")
        low, high = (10.0, 24_000.0) if self.parameter.endswith("_hz") else (-120.0, 24.0)
        for _, value in self.points:
            if not low <= value <= high:
                raise ValueError(f"{self.parameter} {value:g}: must be from {low:g} to {high:g}")
        return self


class Clip(PlanModel):
    """Section of a source, placed in the mashup.

    Attributes:
        source_bars: length in bars of the source; half or twice `bars` for half or double time.
        stretch_ratio: factor by which the duration changes; computed from the bars when None.
        fade_in_bars: equal-power fade inside the clip; 0 for the shortest that does not click.
        engine: time-stretching engine; `auto` chooses by kind of stem.
    """

    source: str
    at_bar: Bar
    bars: Bars
    from_bar: SourceBar
    source_bars: SourceBars
    stretch_ratio: Annotated[float, Field(gt=0.25, lt=4)] | None = None
    semitones: Semitones = 0.0
    gain_db: Gain = 0.0
    fade_in_bars: Bar = 0.0
    fade_out_bars: Bar = 0.0
    engine: str = "auto"
    automation: tuple[Automation, ...] = ()

    @property
    def end_bar(self) -> float:
        """End in the mashup."""
        return self.at_bar + self.bars

    @property
    def source_end_bar(self) -> float:
        """End in the source."""
        return self.from_bar + self.source_bars

    @property
    def tempo_factor(self) -> float:
        """Bars of the source per bar of the mashup: 1, 2 for half time or 0.5 for double time."""
        return self.source_bars / self.bars

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if self.fade_in_bars + self.fade_out_bars > self.bars + 1e-9:
            raise ValueError("fade_in_bars and fade_out_bars: together longer than the clip")
        return self


class Section(PlanModel):
    """Named section of the mashup, such as intro, chorus or break.

    `why` names the parts of the songs that play and the reasons for their choice, for people.
    """

    name: str
    at_bar: Bar
    bars: Bars
    why: str = ""


class MixSettings(PlanModel):
    """Processing of stems before and in their sum.

    Instruments are dipped at 2 to 5 kHz while vocals sing; the bass is ducked while a kick sounds.
    """

    vocal_high_pass_hz: Annotated[float, Field(ge=20, le=400)] = 100.0
    vocal_dip_db: Annotated[float, Field(ge=0, le=12)] = 3.0
    duck_db: Annotated[float, Field(ge=0, le=12)] = 2.0
    tone_low_pass_hz: Annotated[float, Field(ge=500, le=24_000)] | None = None


class MasterSettings(PlanModel):
    """Mastering of the sum; `bus_reduction_db` is that in loud passages, 0 without compressor.

    `side_gain_db` is the gain of the side signal before mastering; below 0, the mix is narrower.
    Gain is not raised further once the highest peak is limited by more than `most_limiting_db`.
    """

    loudness_lufs: Loudness = DEFAULT_LOUDNESS_LUFS
    true_peak_dbtp: TruePeak = DEFAULT_TRUE_PEAK_DBTP
    bus_ratio: Annotated[float, Field(ge=1, le=10)] = 2.0
    bus_reduction_db: Annotated[float, Field(ge=0, le=12)] = 2.0
    side_gain_db: Annotated[float, Field(ge=-24, le=0)] = 0.0
    most_limiting_db: Annotated[float, Field(ge=0, le=30)] = DEFAULT_MOST_LIMITING_DB


class Plan(PlanModel):
    """Plan of a mashup; rendering it again gives the same samples.

    Attributes:
        form: `layer`, vocals over other songs' instruments, or `sequence`, songs one after another.
        vibe: as requested; for information, like `intensity` and `transition`.
        seed: seed of random choices in rendering.
        key: common key; None where it is unknown.
        forced: whether clips may exceed the stretch limit.
        requested: settings that were asked for; corrections keep them.
        notes: limits approached and choices made, for people.
    """

    version: Literal[1] = VERSION
    form: FormName
    vibe: str
    intensity: Annotated[float, Field(ge=0, le=1)]
    transition: TransitionName
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    key: str | None = None
    sample_rate: Annotated[int, Field(ge=8_000, le=192_000)] = 44_100
    grid: PlanGrid
    sources: Annotated[dict[str, PlanSource], Field(min_length=1)]
    clips: Annotated[tuple[Clip, ...], Field(min_length=1)]
    sections: tuple[Section, ...] = ()
    mix: MixSettings = MixSettings()
    master: MasterSettings = MasterSettings()
    allow_two_vocals: bool = False
    forced: bool = False
    requested: tuple[Literal["key", "loudness"], ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _validate(self) -> Self:
        if self.vibe not in VIBES:
            raise ValueError(f"vibe {self.vibe!r}: unknown; use one of {', '.join(VIBES)}")
        if self.key is not None and self.key not in KEYS:
            raise ValueError(f"key {self.key!r}: unknown; use one of {', '.join(KEYS)}")
        for index, clip in enumerate(self.clips):
            for field, reason in _clip_faults(clip, self):
                raise ValueError(f"clips.{index}.{field}: {reason}")
        for index, section in enumerate(self.sections):
            if section.at_bar + section.bars > self.grid.bars + 1e-6:
                end = f"the section ends after the mashup of {self.grid.bars} bars"
                raise ValueError(f"sections.{index}.bars: {end}")
        return self

    @property
    def splices_s(self) -> tuple[float, ...]:
        """Times at which clips begin or end inside the mashup, in ascending order."""
        edges = {edge for clip in self.clips for edge in (clip.at_bar, clip.end_bar)}
        inside = sorted(edge for edge in edges if 0 < edge < self.grid.bars)
        return tuple(self.grid.time_at(edge) for edge in inside)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return self.model_dump(mode="json")


def required_ratio(clip: Clip, source: PlanSource, grid: PlanGrid) -> float:
    """Return the factor by which the duration of a clip changes."""
    return clip.bars * grid.span_at(clip.at_bar).bar_s / (clip.source_bars * source.grid.bar_s)


def _clip_faults(clip: Clip, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the field and the reason of every contradiction between a clip and its plan."""
    source, grid = plan.sources.get(clip.source), plan.grid
    if source is None:
        yield "source", f"unknown source {clip.source!r}; use one of {', '.join(plan.sources)}"
        return
    if clip.engine not in ENGINE_NAMES:
        yield "engine", f"unknown engine {clip.engine!r}; use one of {', '.join(ENGINE_NAMES)}"
    if clip.end_bar > grid.bars + 1e-6:
        yield "bars", f"the clip ends at bar {clip.end_bar:g}, the mashup at {grid.bars}"
    if source.beats_per_bar != grid.beats_per_bar:
        beats = f"{source.beats_per_bar} beats a bar, the mashup {grid.beats_per_bar}"
        yield "source", f"{clip.source} has {beats}"
    tempo = grid.span_at(clip.at_bar)
    if clip.end_bar > tempo.end_bar + 1e-6 and tempo != grid.spans[-1]:
        yield "bars", f"the clip crosses the change of tempo at bar {tempo.end_bar:g}; split it"
    required = required_ratio(clip, source, grid)
    if clip.stretch_ratio is not None and abs(clip.stretch_ratio / required - 1) > _RATIO_TOLERANCE:
        yield (
            "stretch_ratio",
            f"{clip.stretch_ratio:g} contradicts the bars: {clip.source_bars:g} bars at "
            f"{source.tempo_bpm:g} BPM fill {clip.bars:g} bars at {tempo.tempo_bpm:g} BPM with "
            f"{required:.4f}; remove it, or change the bars",
        )
    if not plan.forced and not is_within_stretch_limit(required):
        yield (
            "source_bars",
            f"{clip.source} changes its speed by {format_speed_change(required)}, more than "
            f"{MAX_STRETCH:.0%}; set forced, or change the tempo",
        )
