"""A whole song on paper: every note and hit with its time, before any sound is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil, floor
from typing import TYPE_CHECKING

from synth.bandstand import comping, melody
from synth.bandstand.form import Form, draw_form
from synth.bandstand.grooves import Hit, draw_hits, end_hits
from synth.bandstand.harmony import anticipate, draw_spans
from synth.bandstand.lines import Note, bass_line, bass_root
from synth.dice import Dice
from synth.keys import key_name
from synth.labels import chord_label, joined
from synth.song import Span as SongSpan
from synth.song import Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synth.bandstand.harmony import Span


@dataclass(frozen=True)
class Sounding:
    """A note in time: `midi` is its pitch before tuning."""

    at_s: float
    duration_s: float
    midi: int
    velocity: float


@dataclass(frozen=True)
class Strike:
    """A stroke on a drum in time."""

    at_s: float
    drum: str
    velocity: float


@dataclass(frozen=True)
class Part:
    """What one player plays.

    Attributes:
        name: `bass`, `lead`, or a way of accompanying.
        voice: the instrument.
        stem: `bass` or `other`.
        position: between left (-1) and right (1).
        notes: in no particular order.
    """

    name: str
    voice: str
    stem: str
    position: float
    notes: tuple[Sounding, ...]


@dataclass(frozen=True)
class Mix:
    """How loud and in what room.

    Attributes:
        drums_db: the drums over all else.
        bass_db: the bass over the rest of the band.
        part_db: each accompanying part and the lead, over the first part.
        pump_db: how far the band ducks at each kick; 0 is not at all.
        wet: share of reverberation.
        decay_s: of the room.
        drive_db: how far the loudest peaks would exceed full scale before the limiter.
        tail_s: sound after the end of the last bar.
    """

    drums_db: float
    bass_db: float
    part_db: tuple[float, ...]
    pump_db: float
    wet: float
    decay_s: float
    drive_db: float
    tail_s: float


@dataclass(frozen=True)
class Plan:
    """A song before it is played."""

    seed: int
    form: Form
    loose_s: float
    parts: tuple[Part, ...]
    strikes: tuple[Strike, ...]
    mix: Mix
    truth: Truth
    duration_s: float


class _Hand:
    """Puts notes and hits in time, none of them quite on the grid."""

    def __init__(self, dice: Dice, form: Form) -> None:
        self.dice, self.form = dice, form
        self.loose_s = dice.between(*form.style.loose_ms) / 1000
        self.normal = dice.chance(0.5)

    def _off_s(self) -> float:
        rng, most = self.dice.rng, self.loose_s
        if self.normal:
            return float(min(max(rng.normal(0, most / 2.5), -most), most))
        return float(rng.uniform(-most, most))

    def sound(self, notes: Sequence[Note]) -> tuple[Sounding, ...]:
        """Notes in time; those struck together stay together but for their `late_s`."""
        off_s: dict[float, float] = {}
        out = []
        for note in notes:
            if note.beat not in off_s:
                off_s[note.beat] = self._off_s()
            start_s = self.form.at_s(note.beat)
            length_s = max(0.06, self.form.at_s(note.beat + note.beats) - start_s)
            at_s = max(0.0, start_s + off_s[note.beat] + note.late_s)
            out.append(Sounding(at_s, length_s, note.midi, min(1.0, note.velocity)))
        return tuple(out)

    def strike(self, hits: Sequence[Hit]) -> tuple[Strike, ...]:
        """Hits in time."""
        return tuple(
            Strike(max(0.0, self.form.at_s(hit.beat) + self._off_s()), hit.drum, hit.velocity)
            for hit in hits
        )


def draw(seed: int) -> Plan:
    """Draw a song on paper; the same seed gives the same song."""
    dice = Dice(seed, 0xBA2D)
    form = draw_form(dice)
    spans = draw_spans(dice, form)
    pushed = anticipate(dice, spans, form) if dice.chance(form.style.push) else spans
    hand = _Hand(dice, form)
    scores = _write_parts(dice, form, spans, pushed)
    hits = draw_hits(dice, form) + end_hits(dice, form, form.sections[-1])
    if form.pickup:
        first = _pickup_part(scores)
        scores[first] += melody.pickup(dice, form, _first_midi(scores[first]))
        if form.sections[0].drums != "none" and dice.chance(0.6):
            hits += [
                Hit("snare", -(i + 1) / 4, 0.7 - 0.1 * i) for i in range(round(form.pickup * 2))
            ]
    parts = tuple(
        Part(name, voice, "bass" if name == "bass" else "other", place, hand.sound(notes))
        for (name, voice, place), notes in scores.items()
        if notes
    )
    beats = [note.beat for notes in scores.values() for note in notes] + [hit.beat for hit in hits]
    mix = _draw_mix(dice, form, len(parts))
    end_s = form.grid_s((form.bars + 1) * form.beats_per_bar) + mix.tail_s
    return Plan(
        seed=seed,
        form=form,
        loose_s=hand.loose_s,
        parts=parts,
        strikes=hand.strike(hits),
        mix=mix,
        truth=_truth(form, min(beats), max(beats), pushed),
        duration_s=end_s,
    )


_Scores = dict[tuple[str, str, float], list[Note]]


def _write_parts(dice: Dice, form: Form, spans: Sequence[Span], pushed: Sequence[Span]) -> _Scores:
    """Notes by name, voice and place of each part; all end on the tonic chord."""
    style, last = form.style, form.sections[-1]
    scores: _Scores = {}
    for index, name in enumerate(dice.pick(style.comps)):
        comp = comping.COMPS[name]
        if comp.manner not in ("pad",) and not (
            comp.three if form.beats_per_bar == 3 else comp.four
        ):
            continue
        notes = list(comping.comp_notes(dice, form, pushed, comp, index + 1))
        if last.comps > index:
            notes += comping.last_chord(dice, form, spans[-1], comp)
        place = dice.between(-0.7, 0.7) if index else dice.between(-0.3, 0.3)
        scores[name, dice.pick(comp.voices), place] = notes
    if any(section.lead for section in form.sections):
        notes = melody.melody(dice, form, pushed)
        if last.lead:
            closing = notes[-1]
            home = closing.midi - (closing.midi - form.tonic + 6) % 12 + 6
            notes.append(Note(spans[-1].start, form.beats_per_bar, home, 0.85))
        scores["lead", dice.pick(style.leads), dice.between(-0.2, 0.2)] = notes
    if any(section.bass for section in form.sections):
        bass = bass_line(dice, form, pushed if dice.chance(0.7) else spans)
        if last.bass:
            root = bass_root(form, 0)
            bass.append(Note(spans[-1].start, form.beats_per_bar, root, 0.9))
        scores["bass", dice.pick(style.bass_voices), 0.0] = bass
    return scores


def _pickup_part(scores: _Scores) -> tuple[str, str, float]:
    """Who plays the pickup: the lead, else the first part."""
    return next((key for key in scores if key[0] == "lead"), next(iter(scores)))


def _first_midi(notes: Sequence[Note]) -> int:
    first = min(notes, key=lambda note: note.beat)
    return max(note.midi for note in notes if note.beat == first.beat)


def _draw_mix(dice: Dice, form: Form, parts: int) -> Mix:
    return Mix(
        drums_db=dice.between(-12, 4),
        bass_db=dice.between(-7, 3),
        part_db=tuple(0.0 if index == 0 else dice.between(-9, 1) for index in range(parts)),
        pump_db=dice.between(4, 10) if dice.chance(form.style.pump) else 0.0,
        wet=dice.between(0.05, 0.45) if dice.chance(0.6) else 0.0,
        decay_s=dice.between(0.5, 2.2),
        drive_db=dice.between(0.0, 5.0),
        tail_s=dice.between(0.4, 2.5),
    )


def _truth(form: Form, first: float, last: float, spans: Sequence[Span]) -> Truth:
    """The grid between the first beat that is played and the last, and the form on it."""
    numbers = range(ceil(first - 1e-6), floor(last + 1e-6) + 1)
    drummed = sum(section.bars for section in form.sections if section.drums != "none")
    return Truth(
        tempo_bpm=form.tempo_bpm,
        beats_s=tuple(form.grid_s(beat) for beat in numbers),
        downbeats_s=tuple(form.grid_s(b) for b in numbers if b % form.beats_per_bar == 0),
        beats_per_bar=form.beats_per_bar,
        key=key_name(form.tonic, form.mode),
        tuning_cents=form.tuning_cents,
        has_drums=drummed >= 0.5 * form.bars,
        style=form.style.name,
        sections=_sections(form),
        chords=joined(
            SongSpan(
                form.at_s(span.start),
                form.at_s(span.end),
                chord_label(form.tonic + span.chord.root, span.chord.tones),
            )
            for span in spans
        ),
    )


def _sections(form: Form) -> tuple[SongSpan, ...]:
    """Sections by kind; neighbors of one kind that the same players play are one."""
    alike = [
        list(run) for _, run in groupby(form.sections, lambda s: replace(s, first_bar=0, bars=0))
    ]
    starts_s = [form.grid_s(run[0].first_bar * form.beats_per_bar) for run in alike]
    end_s = form.grid_s((form.bars + 1) * form.beats_per_bar)
    return tuple(
        SongSpan(start_s, stop_s, run[0].kind)
        for run, start_s, stop_s in zip(alike, starts_s, [*starts_s[1:], end_s], strict=True)
    )


def census(plans: Sequence[Plan]) -> dict[str, float]:
    """Share of songs with each property, of each style (`style: ...`) and tonic (`tonic: ...`)."""
    tests = {
        "drums": lambda p: p.truth.has_drums,
        "three": lambda p: p.truth.beats_per_bar == 3,
        "minor": lambda p: p.form.mode == "minor",
        "detuned": lambda p: p.truth.tuning_cents != 0,
        "pickup": lambda p: p.form.pickup > 0,
        "late start": lambda p: p.truth.beats_s[0] > 0.3,
        "swing": lambda p: max(p.form.swing8, p.form.swing16) > 0.52,
        "break": lambda p: any(s.kind == "break" for s in p.form.sections),
        "bass": lambda p: any(part.name == "bass" for part in p.parts),
        "lead": lambda p: any(part.name == "lead" for part in p.parts),
        "pump": lambda p: p.mix.pump_db > 0,
        "reverb": lambda p: p.mix.wet > 0,
    }
    out = {name: sum(map(test, plans)) / len(plans) for name, test in tests.items()}
    for plan in plans:
        for label in (f"style: {plan.truth.style}", f"tonic: {plan.form.tonic}"):
            out[label] = out.get(label, 0.0) + 1 / len(plans)
    return out
