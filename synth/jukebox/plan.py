"""What a song will be, before any note is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synth.keys import key_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synth.jukebox.grid import Grid
    from synth.jukebox.harmony import Bar
    from synth.jukebox.styles import Groove, Line, Style


@dataclass(frozen=True)
class Section:
    """Bars that sound alike.

    Attributes:
        name: `intro`, `verse`, `chorus`, `break` or `end`.
        first_bar: its first bar, counted from the first whole bar of the song.
        chords: a bar's chords, for each of its bars.
        layers: what plays: `drums`, `bass`, `comp`, `extra`, `pad`, `melody`.
        loudness: how hard the band plays, about 1.
        groove: which of the song's two drum parts.
    """

    name: str
    first_bar: int
    chords: tuple[Bar, ...]
    layers: frozenset[str]
    loudness: float
    groove: int

    @property
    def bars(self) -> int:
        """How many bars it has."""
        return len(self.chords)


@dataclass(frozen=True)
class Opening:
    """What comes before the first whole bar.

    Attributes:
        lead_s: seconds before the first note.
        lead: sound in them: `silence`, `room` or `pad`.
        pickup_beats: length of the upbeat, 0 for none.
        pickup: who plays it: `melody`, `drums` or `clicks`.
    """

    lead_s: float
    lead: str
    pickup_beats: float
    pickup: str


@dataclass(frozen=True)
class Part:
    """A line of the accompaniment as this song plays it.

    Attributes:
        line: line that it may play.
        pattern: pattern that it plays.
        voice: its instrument.
    """

    line: Line
    pattern: str
    voice: str


@dataclass(frozen=True)
class Desk:
    """How the song is mixed.

    Attributes:
        drums_db: drums against the level that sits well.
        band_db: the same for each layer.
        reverb_s: decay of the room.
        wet: share of the room.
        ratio: of the compressor; 1 leaves the dynamics alone.
        peak: highest sample of the mix.
        fades: whether the song fades out.
    """

    drums_db: float
    band_db: Mapping[str, float]
    reverb_s: float
    wet: float
    ratio: float
    peak: float
    fades: bool


@dataclass(frozen=True)
class Plan:
    """A song before it is written out.

    Attributes:
        seed: names the song.
        style: the kind of music.
        tempo_bpm: constant throughout.
        tonic: pitch class, C is 0.
        mode: a key of `SCALES`.
        tuning_cents: how far A lies from 440 Hz.
        grid: bars and beats in seconds.
        opening: what comes before the first bar.
        sections: in order; the last is one bar on the tonic.
        grooves: drum parts, two or none.
        kit: drum kit.
        parts: the accompaniment.
        lead: instrument of the tune, or None.
        ending: `button` for a short last chord, `hold` for one that lasts a bar.
        desk: the mix.
    """

    seed: int
    style: Style
    tempo_bpm: float
    tonic: int
    mode: str
    tuning_cents: float
    grid: Grid
    opening: Opening
    sections: tuple[Section, ...]
    grooves: tuple[Groove, ...]
    kit: str
    parts: tuple[Part, ...]
    lead: str | None
    ending: str
    desk: Desk

    @property
    def key(self) -> str:
        """The key's label."""
        return key_name(self.tonic, self.mode)

    @property
    def bars(self) -> int:
        """Whole bars of the song."""
        return sum(section.bars for section in self.sections)

    @property
    def has_drums(self) -> bool:
        """Whether drums play in at least half of the bars."""
        return 2 * sum(s.bars for s in self.sections if "drums" in s.layers) >= self.bars

    def section_at(self, bar: int) -> Section:
        """The section that holds `bar`."""
        return next(s for s in self.sections if s.first_bar <= bar < s.first_bar + s.bars)

    def chords_at(self, bar: int) -> Bar:
        """Chords of `bar`; past the end, those of the last."""
        section = self.section_at(min(bar, self.bars - 1))
        return section.chords[min(bar, self.bars - 1) - section.first_bar]
