"""Bass lines, chords and broken chords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synth.jukebox.events import Hand, Note
from synth.jukebox.grid import Step, accent, steps
from synth.jukebox.harmony import Bar, Chord, scale_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synth.jukebox.plan import Part, Plan, Section

_LOUDNESS = {"x": 0.7, "X": 0.92, "o": 0.42, "R": 0.95}
_STRUMMED = frozenset(("steel", "nylon", "electric", "crunch", "jazzguitar", "mandolin", "banjo"))
_POWER = frozenset(("drive", "chug"))
_LOWEST_BASS = 28


def write_part(plan: Plan, part: Part, rng: np.random.Generator) -> tuple[Note, ...]:
    """Every note of one line of the accompaniment."""
    writer = _Writer(plan, part, rng)
    for section in plan.sections:
        if section.name == "end":
            writer.end(section)
        elif part.line.layer in section.layers:
            writer.section(section)
    return tuple(writer.notes)


class _Writer:
    def __init__(self, plan: Plan, part: Part, rng: np.random.Generator) -> None:
        self.plan, self.part, self.rng = plan, part, rng
        self.hand = Hand(rng, plan.style.looseness_s)
        self.notes: list[Note] = []
        self.voicing: tuple[int, ...] = ()
        self.bass_pitch = _LOWEST_BASS + 8

    def section(self, section: Section) -> None:
        for bar in range(section.first_bar, section.first_bar + section.bars):
            if self.part.line.kind == "walk":
                self._walk(section, bar)
                continue
            found = steps(self.part.pattern, bar - section.first_bar, self._beats)
            # The whole band anticipates a chord together.
            together = np.random.default_rng([self.plan.seed, 5, bar])
            early = together.random() < self.plan.style.anticipate
            inner = len(self.plan.chords_at(bar)) > 1 and self.part.line.layer == "pad"
            if inner:
                half = self._beats / 2
                found = (Step(0.0, half, "x"), Step(float(-(-self._beats // 2)), half, "x"))
            for i, step in enumerate(found):
                after = found[i + 1].beat if i + 1 < len(found) else float(self._beats)
                self._play(section, bar, step, after, early=early)

    def end(self, section: Section) -> None:
        """The last chord: struck short, or held for a bar."""
        line = self.part.line
        if line.layer == "extra":
            return
        chord = section.chords[0][0]
        beats = 0.9 if self.plan.ending == "button" else self._beats - 0.15
        at = self.plan.grid.time_s(section.first_bar, 0) + self.hand.offset_s()
        held_s = beats * self.plan.grid.beat_s
        if line.layer == "bass":
            self._add(at, held_s, self._bass_near(chord.bass), 0.8)
        else:
            self._chord(at, held_s, chord, 0.75)

    @property
    def _beats(self) -> int:
        return self.plan.grid.beats_per_bar

    def _play(self, section: Section, bar: int, step: Step, after: float, *, early: bool) -> None:
        chord = self._chord_at(bar, step.beat, early=early)
        following = self._chord_at(bar + 1, 0.0, early=False)
        swung = not step.is_triplet
        at = self.plan.grid.time_s(bar, step.beat, swung=swung)
        until = self.plan.grid.time_s(bar, after, swung=swung)
        held_s = (until - at) * self.part.line.gate
        loudness = _LOUDNESS.get(step.mark, 0.7) * accent(step.beat) * section.loudness
        velocity = self.hand.touch(loudness)
        at += self.hand.offset_s()
        if self.part.line.kind == "bass":
            self._bass(at, held_s, (chord, following), step.mark, velocity)
        elif self.part.line.kind == "pick":
            voicing = self._voice(chord)
            pitch = voicing[min(int(step.mark), len(voicing) - 1)]
            self._add(at, max(held_s, 0.2), pitch, velocity)
        else:
            self._chord(at, held_s, chord, velocity)

    def _chord_at(self, bar: int, beat: float, *, early: bool) -> Chord:
        if early and beat >= self._beats - 0.5:
            return self.plan.chords_at(bar + 1)[0]
        chords: Bar = self.plan.chords_at(bar)
        second = len(chords) > 1 and beat >= -(-self._beats // 2)
        return chords[1] if second else chords[0]

    def _bass_near(self, pitch_class: int) -> int:
        lowest = _LOWEST_BASS + (self.plan.tonic + pitch_class - _LOWEST_BASS) % 12
        # The upper octave only where it is nearer and still low.
        if lowest + 12 <= 43 and abs(lowest + 12 - self.bass_pitch) < abs(lowest - self.bass_pitch):
            return lowest + 12
        return lowest

    def _bass(
        self, at: float, held_s: float, chords: tuple[Chord, Chord], mark: str, velocity: float
    ) -> None:
        chord, following = chords
        root = self._bass_near(chord.bass)
        self.bass_pitch = root
        third = 3 if 3 in chord.intervals else 4
        fifth = 6 if 6 in chord.intervals else 8 if chord.intervals[:3] == (0, 4, 8) else 7
        if chord.bass != chord.root:
            third = fifth = 0
        pitch = root
        if mark == "5":
            pitch = root + fifth - (12 if root + fifth > 43 and root + fifth - 12 >= 28 else 0)
        elif mark == "3":
            pitch = root + third
        elif mark == "8":
            pitch = root + 12
        elif mark == "a":
            pitch = self._bass_near(following.bass) + int(self.rng.choice((-1, -1, 1, 2)))
        self._add(at, held_s, pitch, velocity)

    def _walk(self, section: Section, bar: int) -> None:
        target = self._bass_near(self.plan.chords_at(bar + 1)[0].bass)
        direction = 1 if self.rng.random() < 0.5 else -1
        for beat in range(self._beats):
            chord = self._chord_at(bar, beat, early=False)
            changes = beat == 0 or (
                beat == -(-self._beats // 2) and len(self.plan.chords_at(bar)) > 1
            )
            if changes:
                pitch = self._bass_near(chord.bass)
            elif beat == self._beats - 1:
                pitch = target + int(self.rng.choice((-1, 1, -2, 2)))
            else:
                pitch = self._step_from(self.bass_pitch, chord, direction)
            self.bass_pitch = int(np.clip(pitch, 28, 50))
            at = self.plan.grid.time_s(bar, beat) + self.hand.offset_s()
            velocity = self.hand.touch(0.75 * section.loudness)
            held_s = self.plan.grid.beat_s * self.part.line.gate
            self._add(at, held_s, self.bass_pitch, velocity)

    def _step_from(self, pitch: int, chord: Chord, direction: int) -> int:
        wanted = chord.tones if self.rng.random() < 0.6 else scale_over(chord, self.plan.mode)
        if pitch > 43:
            direction = -1
        elif pitch < 33:
            direction = 1
        for distance in range(1, 8):
            if (pitch + direction * distance - self.plan.tonic) % 12 in wanted:
                return pitch + direction * distance
        return pitch

    def _voice(self, chord: Chord) -> tuple[int, ...]:
        """Notes of `chord` about the register, moving little from the last voicing."""
        register = self.part.line.register
        if self.part.voice in _POWER:
            low = 40 + (self.plan.tonic + chord.root - 40) % 12
            low += 12 if register >= 50 and low < 43 else 0
            return (low, low + 7)
        middle = sum(self.voicing) / len(self.voicing) if self.voicing else float(register)
        middle = 0.5 * middle + 0.5 * register
        classes = sorted((self.plan.tonic + tone) % 12 for tone in chord.tones)
        best: tuple[int, ...] = ()
        for turn in range(len(classes)):
            order = classes[turn:] + classes[:turn]
            base = int(register - 14 + (order[0] - (register - 14)) % 12)
            for low in (base, base + 12):
                stack = [low]
                for pitch_class in order[1:]:
                    stack.append(stack[-1] + 1 + (pitch_class - stack[-1] - 1) % 12)
                if not best or _off(stack, middle) < _off(best, middle):
                    best = tuple(stack)
        if self.part.line.kind == "pick":
            best = (*tuple(sorted((best[0], *best[1:], best[0] + 12)))[:4], best[0] + 12)
        self.voicing = best
        return best

    def _chord(self, at: float, held_s: float, chord: Chord, velocity: float) -> None:
        pitches = self._voice(chord)
        if self.part.voice in _POWER:
            # The instrument sounds the fifth itself, as a driven amplifier mixes both.
            self._add(at, held_s, pitches[0], velocity)
            return
        spread_s = 0.014 if self.part.voice in _STRUMMED else 0.003
        for i, pitch in enumerate(pitches):
            late_s = spread_s * (i / max(1, len(pitches) - 1) - 0.5)
            self._add(at + late_s, held_s, pitch, velocity)

    def _add(self, at: float, held_s: float, pitch: int, velocity: float) -> None:
        self.notes.append(Note(max(0.0, at), max(held_s, 0.05), pitch, velocity))


def _off(pitches: Sequence[int], middle: float) -> float:
    return abs(sum(pitches) / len(pitches) - middle)
