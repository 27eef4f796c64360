"""Notes of a song, and the truth that follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np

from synth.jukebox.accompaniment import write_part
from synth.jukebox.drumming import write_drums
from synth.jukebox.melody import write_melody
from synth.labels import chord_label, joined, phrases
from synth.song import Span, Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synth.jukebox.events import Hit, Note
    from synth.jukebox.plan import Plan

# Whoever listens hears a note a little early or late still as on the beat.
_NEAR_S = 0.03


@dataclass(frozen=True)
class Player:
    """One pitched instrument's notes.

    Attributes:
        layer: `bass`, `comp`, `extra`, `pad` or `melody`.
        voice: the instrument.
        level_db: against other players of its layer.
        notes: in the order written.
    """

    layer: str
    voice: str
    level_db: float
    notes: tuple[Note, ...]

    @property
    def stem(self) -> str:
        """The stem that it belongs to."""
        if self.voice in ("ah", "eh", "oo", "choir"):
            return "vocals"
        plays_bass = self.layer == "bass" and self.voice not in _TWO_HANDED
        return "bass" if plays_bass else "other"


# What also plays chords keeps its low notes in the stem of its chords.
_TWO_HANDED = frozenset(
    ("piano", "steel", "nylon", "cello", "pipes", "accordion", "harpsichord", "tuba")
)


@dataclass(frozen=True)
class Score:
    """All notes of a song.

    Attributes:
        players: pitched instruments.
        hits: drums.
    """

    players: tuple[Player, ...]
    hits: tuple[Hit, ...]


def write_score(plan: Plan) -> Score:
    """The notes that `plan` asks for; the same plan gives the same notes."""
    rng = np.random.default_rng([plan.seed, 2])
    players = [
        Player(p.line.layer, p.voice, p.line.level_db, write_part(plan, p, rng)) for p in plan.parts
    ]
    if plan.lead is not None:
        players.append(Player("melody", plan.lead, 0.0, write_melody(plan, rng)))
    sounding = tuple(player for player in players if player.notes)
    return Score(sounding, write_drums(plan, rng) if plan.grooves else ())


def truth_of(plan: Plan, score: Score) -> Truth:
    """What a perfect analysis would say of `score`."""
    starts = [note.start_s for player in score.players for note in player.notes]
    starts += [hit.time_s for hit in score.hits]
    ends = [note.start_s + note.duration_s for player in score.players for note in player.notes]
    ends += [hit.time_s + 2 * _NEAR_S for hit in score.hits]
    grid = plan.grid
    first = math.ceil((min(starts) - _NEAR_S - grid.bar0_s) / grid.beat_s)
    last = math.floor((max(ends) - _NEAR_S - grid.bar0_s) / grid.beat_s)
    beats = range(first, last + 1)
    return Truth(
        tempo_bpm=plan.tempo_bpm,
        beats_s=tuple(grid.beat_time_s(i) for i in beats),
        downbeats_s=tuple(grid.beat_time_s(i) for i in beats if i % grid.beats_per_bar == 0),
        beats_per_bar=grid.beats_per_bar,
        key=plan.key,
        tuning_cents=plan.tuning_cents,
        has_drums=plan.has_drums,
        style=plan.style.name,
        sections=_sections(plan),
        chords=joined(_chords(plan)),
        singing_s=phrases(
            (note.start_s, note.start_s + note.duration_s)
            for player in score.players
            if player.stem == "vocals"
            for note in player.notes
        ),
    )


def _sections(plan: Plan) -> tuple[Span, ...]:
    """Sections by name; neighbors of one name that the same players play are one."""
    alike = [
        list(run)
        for _, run in groupby(plan.sections[:-1], lambda s: (s.name, s.layers, s.loudness))
    ]
    starts_s = [plan.grid.time_s(run[0].first_bar, 0) for run in alike]
    stops_s = [*starts_s[1:], plan.grid.time_s(plan.bars, 0)]
    return tuple(
        Span(start_s, stop_s, run[0].name)
        for run, start_s, stop_s in zip(alike, starts_s, stops_s, strict=True)
    )


def _chords(plan: Plan) -> Iterator[Span]:
    beats = plan.grid.beats_per_bar
    for section in plan.sections:
        pitched = section.layers - {"drums"}
        unheard = "N" if not pitched else "X" if pitched == {"bass"} else None
        for number, chords in enumerate(section.chords, section.first_bar):
            edges = (0, -(-beats // 2), beats) if len(chords) > 1 else (0, beats)
            for chord, (first, last) in zip(chords, pairwise(edges), strict=True):
                label = unheard or chord_label(plan.tonic + chord.root, chord.intervals)
                yield Span(plan.grid.time_s(number, first), plan.grid.time_s(number, last), label)
