"""Table of styles: what each plays, how fast, and how it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from synth.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = ("events", "meters", "heavy", "machines", "offbeat", "bands", "solo")


@dataclass(frozen=True)
class Line:
    """Instrument and its pattern.

    Attributes:
        voice: name of the instrument in `tones.TIMBRES`.
        bars: a pattern for each bar, in turn.
    """

    voice: str
    bars: tuple[str, ...]


@dataclass(frozen=True)
class Arrangement:
    """One way of playing a style.

    Attributes:
        beats: beats in a bar.
        tempo: lowest and highest tempo in beats per minute.
        drums: drum patterns by section (`verse`, `chorus`, `half`), then by piece.
        bass: bass line, if any.
        comps: chords, arpeggios and riffs.
        lead: whether a melody is sung or played.
    """

    beats: int
    tempo: tuple[float, float]
    drums: Mapping[str, Mapping[str, tuple[str, ...]]]
    bass: Line | None
    comps: tuple[Line, ...]
    lead: bool


@dataclass(frozen=True)
class Style:
    """Kind of music.

    Attributes:
        name: as in `Truth.style`.
        split: parts of a beat in which melodies and fills move, 2 to 4.
        swing: where the second half of a beat begins, lowest and highest; 0.5 is even.
        swing_sixteenths: whether the sixteenths swing, instead of the eighths.
        kit: drum kit, in `kit.KITS`.
        feel: how closely players follow the clock: `machine`, `live` or `loose`.
        keys: progressions by mode, `major` and `minor`.
        leads: instruments that take the melody.
        form: `song`, `dj`, `blues`, `tune`, `solo` or `clicks`.
        event: irregularity of the beat: `breath`, `edit`, `change`, `drift`, `rubato` or none.
        base: styles that are played where the style is an event.
        arrangements: at least two, or none where `base` is given.
    """

    name: str
    split: int
    swing: tuple[float, float]
    swing_sixteenths: bool
    kit: str
    feel: str
    keys: Mapping[str, tuple[str, ...]]
    leads: tuple[str, ...]
    form: str
    event: str
    base: tuple[str, ...]
    arrangements: tuple[Arrangement, ...]


@cache
def styles() -> tuple[Style, ...]:
    """All styles, in the order in which seeds play them."""
    tables = [read_table(f"roadshow/styles/{name}.toml") for name in _TABLES]
    return tuple(_style(name, row) for table in tables for name, row in table.items())


@cache
def style_named(name: str) -> Style:
    """Return the style of that name."""
    return next(style for style in styles() if style.name == name)


def _style(name: str, row: dict[str, Any]) -> Style:
    return Style(
        name=name,
        split=row.get("split", 2),
        swing=tuple(row.get("swing", (0.5, 0.5))),
        swing_sixteenths=row.get("swing_sixteenths", False),
        kit=row.get("kit", "studio"),
        feel=row.get("feel", "live"),
        keys={mode: tuple(row[mode]) for mode in ("major", "minor") if mode in row},
        leads=tuple(row.get("leads", ("voice",))),
        form=row.get("form", "song"),
        event=row.get("event", ""),
        base=tuple(row.get("base", ())),
        arrangements=tuple(_arrangement(row, one) for one in row.get("arrangement", ())),
    )


def _arrangement(style: dict[str, Any], row: dict[str, Any]) -> Arrangement:
    low, high = row.get("tempo") or style["tempo"]
    verse = row.get("verse", {})
    drums = {"verse": verse, "chorus": row.get("chorus", verse)}
    if "half" in row:
        drums["half"] = row["half"]
    return Arrangement(
        beats=row.get("beats", style.get("beats", 4)),
        tempo=(low, high),
        drums={
            part: {piece: _bars(text) for piece, text in groove.items()}
            for part, groove in drums.items()
        },
        bass=_line(row["bass"]) if "bass" in row else None,
        comps=tuple(_line(text) for text in row.get("comps", ())),
        lead=row.get("lead", True),
    )


def _line(text: str) -> Line:
    voice, pattern = text.split(":")
    return Line(voice.strip(), _bars(pattern))


def _bars(text: str) -> tuple[str, ...]:
    return tuple(text.replace(" ", "").split("|"))
