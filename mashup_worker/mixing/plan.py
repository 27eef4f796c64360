"""The plan of a mashup: a JSON document that can be read, edited and rendered again.

Positions are bars of the mashup, counted from 0, or bars of a source, where the text says so;
fractions of bars are allowed everywhere.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mashup_worker.dsp.stretch.choose import ENGINE_NAMES
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.grid import FreeGrid, SongGrid, SteadyGrid
from mashup_worker.mixing.vibes import VIBES, Transition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VERSION: Literal[1] = 1
MOST_STRETCH = 0.20
"""A sound stretched by more than this, either way, is not taken for itself any more."""

_SAME_RATIO = 1e-3

_MOST_BARS = 2_000
_SHORTEST_BARS = 0.01

Tempo = Annotated[float, Field(ge=30, le=300)]
Semitones = Annotated[float, Field(ge=-12, le=12)]
Gain = Annotated[float, Field(ge=-60, le=24)]
Seconds = Annotated[float, Field(ge=-600, le=36_000)]
Bar = Annotated[float, Field(ge=0, le=_MOST_BARS)]
SourceBar = Annotated[float, Field(ge=-_MOST_BARS, le=10 * _MOST_BARS)]
Bars = Annotated[float, Field(ge=_SHORTEST_BARS, le=_MOST_BARS)]
SourceBars = Annotated[float, Field(ge=_SHORTEST_BARS, le=4 * _MOST_BARS)]
Parameter = Literal["gain_db", "bass_db", "high_pass_hz", "low_pass_hz"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Grid(_Part):
    """The bars of the mashup; bar 0 begins with its first sample."""

    tempo_bpm: Tempo
    beats_per_bar: Literal[3, 4]
    bars: Annotated[int, Field(ge=1, le=_MOST_BARS)]

    @property
    def bar_s(self) -> float:
        """Length of a bar."""
        return 60.0 * self.beats_per_bar / self.tempo_bpm

    @property
    def duration_s(self) -> float:
        """Length of the mashup."""
        return self.bars * self.bar_s

    def sample_at(self, bar: float, rate_hz: int) -> int:
        """The sample with which a bar begins."""
        return round(bar * self.bar_s * rate_hz)


class Source(_Part):
    """A sound that clips are taken from, with its beats.

    Attributes:
        path: its file; a relative one is meant from the plan's folder.
        sha256: digest of the file's bytes, so that another file under the name is noticed.
        kind: what it is: vocals, drums, bass, other, ...
        song: the song that it is a part of.
        tempo_bpm: its tempo; the mean where it moves.
        beats_per_bar: its beats a bar.
        first_downbeat_s: where its bar 0 begins.
        beats_s: its beats from there on, where one tempo does not fit them.
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
    def _makes_sense(self) -> Self:
        if "\0" in self.path:
            raise ValueError("path: no file has a null byte in its name")
        if self.beats_s and (
            len(self.beats_s) < 2
            or any(b - a < 0.1 for a, b in zip(self.beats_s, self.beats_s[1:], strict=False))
        ):
            raise ValueError("beats_s must rise, by 0.1 s and more")
        return self

    @property
    def grid(self) -> SongGrid:
        """Its bars."""
        if self.beats_s:
            return FreeGrid(self.beats_s, self.beats_per_bar)
        return SteadyGrid(self.tempo_bpm, self.beats_per_bar, self.first_downbeat_s)


class Automation(_Part):
    """A figure that moves while a clip plays.

    Attributes:
        parameter: `gain_db`; `bass_db`, the gain below 180 Hz; `high_pass_hz`; or `low_pass_hz`.
        points: bars of the mashup, rising, each with the value there; between them it moves
            evenly, frequencies by octaves, and beyond them it stays.
    """

    parameter: Parameter
    points: Annotated[tuple[tuple[SourceBar, float], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        bars = [bar for bar, _ in self.points]
        if bars != sorted(bars):
            raise ValueError("the bars of points must rise")
        low, high = (10.0, 24_000.0) if self.parameter.endswith("_hz") else (-120.0, 24.0)
        for _, value in self.points:
            if not low <= value <= high:
                raise ValueError(f"{self.parameter} {value:g} lies outside {low:g} to {high:g}")
        return self


class Clip(_Part):
    """A piece of a source in the mashup.

    Attributes:
        source: which of the plan's sources.
        at_bar: where it begins in the mashup.
        bars: how many bars of the mashup it fills.
        from_bar: where it begins in the source.
        source_bars: how many bars of the source it plays; half or twice `bars` for a source in
            half or double time.
        stretch_ratio: how many times as long it becomes; None for whatever the bars need.
        semitones: how far its pitch moves.
        gain_db: its gain.
        fade_in_bars, fade_out_bars: equal-power fades inside the clip; 0 for an edge that only
            does not click.
        engine: what stretches it; `auto` chooses by kind.
        automation: what moves while it plays.
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
        """Where it ends in the mashup."""
        return self.at_bar + self.bars

    @property
    def tempo_factor(self) -> float:
        """Bars of the source a bar of the mashup: 1, or 2 or 0.5 for double or half time."""
        return self.source_bars / self.bars

    @model_validator(mode="after")
    def _fades_fit(self) -> Self:
        if self.fade_in_bars + self.fade_out_bars > self.bars + 1e-9:
            raise ValueError("fade_in_bars and fade_out_bars are longer than the clip")
        return self


class Section(_Part):
    """A stretch of the mashup that has a name, such as intro, voice or break."""

    name: str
    at_bar: Bar
    bars: Bars


class Mix(_Part):
    """How the parts are put together.

    Attributes:
        vocal_high_pass_hz: what lies below leaves the voices.
        pocket_db: how far instruments make room at 2 to 5 kHz while a voice sings.
        duck_db: how far the kick pushes the bass down.
        tone_low_pass_hz: what lies above is softened in the sum; None for nothing.
    """

    vocal_high_pass_hz: Annotated[float, Field(ge=20, le=400)] = 100.0
    pocket_db: Annotated[float, Field(ge=0, le=12)] = 3.0
    duck_db: Annotated[float, Field(ge=0, le=12)] = 2.0
    tone_low_pass_hz: Annotated[float, Field(ge=500, le=24_000)] | None = None


class Master(_Part):
    """What the result is brought to.

    Attributes:
        loudness_lufs: integrated loudness.
        true_peak_dbtp: highest true peak of the file when it is played.
        bus_ratio: ratio of the compressor on the sum.
        bus_reduction_db: how much it takes off the loud parts; 0 for none.
    """

    loudness_lufs: Annotated[float, Field(ge=-36, le=-5)] = -14.0
    true_peak_dbtp: Annotated[float, Field(ge=-9, le=0)] = -1.0
    bus_ratio: Annotated[float, Field(ge=1, le=10)] = 2.0
    bus_reduction_db: Annotated[float, Field(ge=0, le=12)] = 2.0


class Plan(_Part):
    """A mashup, written down.

    Attributes:
        version: of this form of document.
        form: `layer`, a voice over other songs' instruments, or `sequence`, songs one after
            another.
        vibe, intensity, transition, seed: what was asked for; rendering reads the seed only.
        key: the key that everything was brought to; None where nobody knows.
        rate_hz: sample rate of the result.
        grid: its bars.
        sources: by name, what clips are taken from.
        clips: what plays when.
        sections: names for stretches of the mashup.
        mix, master: how it is put together and finished.
        allow_two_vocals: whether two lead voices may sing at once.
        forced: whether clips may be stretched beyond the limit.
        notes: what a person should know: limits that were neared, choices that were made.
    """

    version: Literal[1] = VERSION
    form: Literal["layer", "sequence"]
    vibe: str
    intensity: Annotated[float, Field(ge=0, le=1)]
    transition: Transition
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    key: str | None = None
    rate_hz: Annotated[int, Field(ge=8_000, le=192_000)] = 44_100
    grid: Grid
    sources: Annotated[dict[str, Source], Field(min_length=1)]
    clips: Annotated[tuple[Clip, ...], Field(min_length=1)]
    sections: tuple[Section, ...] = ()
    mix: Mix = Mix()
    master: Master = Master()
    allow_two_vocals: bool = False
    forced: bool = False
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.vibe not in VIBES:
            raise ValueError(f"vibe: unknown vibe {self.vibe!r}: one of {', '.join(VIBES)}")
        for index, clip in enumerate(self.clips):
            for field, reason in _faults(clip, self):
                raise ValueError(f"clips.{index}.{field}: {reason}")
        for index, section in enumerate(self.sections):
            if section.at_bar + section.bars > self.grid.bars + 1e-6:
                raise ValueError(
                    f"sections.{index}.bars: it ends after the mashup of {self.grid.bars} bars"
                )
        return self

    @property
    def splices_s(self) -> tuple[float, ...]:
        """Where clips begin and end inside the mashup, in seconds, rising."""
        edges = {edge for clip in self.clips for edge in (clip.at_bar, clip.end_bar)}
        inside = sorted(edge for edge in edges if 0 < edge < self.grid.bars)
        return tuple(edge * self.grid.bar_s for edge in inside)

    @property
    def downbeats_s(self) -> tuple[float, ...]:
        """Where bars begin, in seconds."""
        return tuple(bar * self.grid.bar_s for bar in range(self.grid.bars))

    def stretch_ratio(self, clip: Clip) -> float:
        """How many times as long a clip becomes, by its bars."""
        return needed_ratio(clip, self.sources[clip.source], self.grid)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON keeps it."""
        return self.model_dump(mode="json", exclude_defaults=False)

    def as_json(self) -> str:
        """The plan as a text for people: short lists on one line."""
        return _readable(self.as_dict()) + "\n"


def needed_ratio(clip: Clip, source: Source, grid: Grid) -> float:
    """How many times as long the source's bars must become to fill the clip's."""
    return (clip.bars * grid.bar_s) / (clip.source_bars * source.grid.bar_s)


def load_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        InvalidInput: no file, not JSON, or a value that makes no sense; the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text in UTF-8"
        raise InvalidInput(f"{path}: {reason}") from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except (RecursionError, UnicodeError) as error:
        raise InvalidInput(f"{path} is no plan") from error
    except ValueError as error:
        raise InvalidInput(f"{path}: a number has too many digits") from error
    return plan_of(document, str(path))


def plan_of(document: object, name: str = "plan") -> Plan:
    """A plan from the values of its JSON.

    Raises:
        InvalidInput: a value makes no sense; the message names `name` and the field.
    """
    if not isinstance(document, dict):
        raise InvalidInput(f"{name}: a plan is an object in braces")
    document = {key: value for key, value in document.items() if key != "splices_s"}
    try:
        # As JSON, so that 1 for true or "12" for 12 are faults while lists are tuples.
        return Plan.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{name}: {where + ': ' if where else ''}{reason}") from error


def _faults(clip: Clip, plan: Plan) -> Iterator[tuple[str, str]]:
    source = plan.sources.get(clip.source)
    if source is None:
        yield "source", f"there is no source {clip.source!r} among {', '.join(plan.sources)}"
        return
    if clip.engine not in ENGINE_NAMES:
        yield "engine", f"unknown engine {clip.engine!r}: one of {', '.join(ENGINE_NAMES)}"
    if clip.end_bar > plan.grid.bars + 1e-6:
        yield "bars", f"the clip ends at bar {clip.end_bar:g}, the mashup at {plan.grid.bars}"
    if source.beats_per_bar != plan.grid.beats_per_bar:
        yield (
            "source",
            f"{clip.source} has {source.beats_per_bar} beats a bar, the mashup "
            f"{plan.grid.beats_per_bar}",
        )
    needed = needed_ratio(clip, source, plan.grid)
    if clip.stretch_ratio is not None and abs(clip.stretch_ratio / needed - 1) > _SAME_RATIO:
        yield (
            "stretch_ratio",
            f"{clip.stretch_ratio:g}, but {clip.source_bars:g} bars at {source.tempo_bpm:g} BPM "
            f"fill {clip.bars:g} bars at {plan.grid.tempo_bpm:g} BPM at {needed:.4f}",
        )
    if not plan.forced and not within_limit(needed):
        yield (
            "source_bars",
            f"{clip.source} would be stretched by {percent(needed)}, more than "
            f"{MOST_STRETCH:.0%}; force it, or choose another tempo",
        )


def within_limit(ratio: float) -> bool:
    """Whether a sound may be stretched so without being forced."""
    return abs(stretch(ratio)) <= MOST_STRETCH + 1e-9


def stretch(ratio: float) -> float:
    """How much faster a stretched sound plays: 0.05 for 5 % faster, negative for slower."""
    return 1 / ratio - 1


def percent(ratio: float) -> str:
    """How much faster a stretched sound plays, in words."""
    return f"{100 * stretch(ratio):+.1f} %"


def _readable(value: object, indent: str = "") -> str:
    """JSON with an entry a line, but nothing broken that fits into one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + len(indent) <= 100 or not isinstance(value, dict | list):
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        if all(isinstance(one, int | float) for one in value):
            return flat
        rows = [inner + _readable(one, inner) for one in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    entries: Mapping[str, object] = value
    rows = [f"{inner}{json.dumps(key)}: {_readable(one, inner)}" for key, one in entries.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
