"""Kinds of music: how fast they go and who plays what in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from synth.tables import read_table

Groove = Mapping[str, str]
"""Patterns by drum: a letter a sixteenth of a bar, `X` loud, `x` normal, `o` soft, `g` a ghost."""


@dataclass(frozen=True)
class Style:
    """A kind of music.

    Attributes:
        name: for tables.
        weight: how often it is drawn, against the others.
        tempo_bpm: the slowest and the fastest tempo, at the level that a musician taps.
        flavor: of the harmony: `pop`, `rock`, `soul` or `folk`.
        comps: sets of accompanying parts, most important first; a song uses one set.
        basses: bass lines.
        bass_voices: what plays them.
        leads: what may play the melody.
        kicks: patterns of the kick; none where the style has no drums.
        snares: backbeats: the drum that plays them and its pattern.
        timekeeping: what keeps the time: hi-hats, ride, shaker.
        three: share of songs in 3/4.
        swing8: range of the swing of eighths; 0.5 is straight.
        swing16: range of the swing of sixteenths.
        loose_ms: range over songs of how far notes lie off the grid at most.
        pump: share of songs whose band ducks at each kick.
        push: share of songs whose chords come an eighth early.
        lead: share of songs with a melody.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    weight: float
    tempo_bpm: tuple[float, float]
    flavor: str
    comps: tuple[tuple[str, ...], ...]
    basses: tuple[str, ...]
    bass_voices: tuple[str, ...]
    leads: tuple[str, ...] = ("lead", "bell", "guitar", "flute", "pluck")
    kicks: tuple[str, ...] = ()
    snares: tuple[tuple[str, str], ...] = ()
    timekeeping: tuple[Groove, ...] = ()
    three: float = 0.0
    swing8: tuple[float, float] = (0.5, 0.5)
    swing16: tuple[float, float] = (0.5, 0.5)
    loose_ms: tuple[float, float] = (3.0, 10.0)
    pump: float = 0.0
    push: float = 0.0
    lead: float = 0.8

    @property
    def drums(self) -> bool:
        """Whether songs of the style have drums."""
        return bool(self.kicks)


@cache
def styles() -> tuple[Style, ...]:
    """Return all styles; songs are drawn from them by position, so their order matters."""
    given = read_table("bandstand/styles.toml")["style"]
    return TypeAdapter(tuple[Style, ...]).validate_python(given)
