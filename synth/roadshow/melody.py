"""Melodies: rhythms that return, pitches that follow the chords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synth.roadshow.harmony import PENTATONIC, SCALES
from synth.roadshow.playing import Note

if TYPE_CHECKING:
    from numpy.random import Generator

    from synth.roadshow.form import Bar
    from synth.roadshow.plan import Plan

_CENTERS = {
    "voice": 62, "growl": 52, "sax": 61, "flute": 77, "whistle": 84, "fiddle": 74, "violin": 76,
    "piano_lead": 74, "bell": 79, "synth_lead": 70, "trumpet": 68, "accordion": 72,
}  # fmt: skip
_SUNG = ("voice", "growl")


class Singer:
    """Sings or plays the melody of a song."""

    def __init__(self, plan: Plan, voice: str, rng: Generator) -> None:
        self.plan, self.voice, self.rng = plan, voice, rng
        self.center = _CENTERS.get(voice, 67) + int(rng.integers(-4, 5))
        self.late_s = rng.uniform(0, 0.02) if voice in _SUNG else 0.0
        self.jitter_s = 0.002 if plan.style.feel == "machine" and voice not in _SUNG else 0.012
        self.scale = (PENTATONIC if rng.random() < 0.4 else SCALES)[plan.mode]
        self.busy = rng.uniform(0.25, 0.6)
        self.rhythms: dict[str, list[list[float]]] = {}
        self.notes: list[Note] = []
        self.pitch = float(self.center)

    def play(self, bar: Bar) -> None:
        """Write out one bar."""
        if "lead" not in bar.section.layers or bar.section.kind == "intro":
            return
        if bar.section.kind == "end":
            self._sound(bar, 0, bar.beats, self._nearest(0))
            return
        starts = [beat for beat in self._rhythm(bar) if beat < bar.stop - 0.2]
        full = bar.section.arrangement.beats
        for place, beat in enumerate(starts):
            until = starts[place + 1] if place + 1 < len(starts) else full - 0.1
            resting = bar.number % 4 == 3 or bar.left == 0
            if resting and place and beat > full / 2:
                break
            closing = resting and (place + 1 == len(starts) or starts[place + 1] > full / 2)
            self._step(bar, beat, closing)
            self._sound(bar, beat, min(until, beat + 2.5, bar.stop), self.pitch)
        if bar.hold:
            self._step(bar, bar.stop, True)
            self._sound(bar, bar.stop, bar.beats, self.pitch)

    def _rhythm(self, bar: Bar) -> list[float]:
        """Beats on which notes begin: two or four rhythms for each kind of section."""
        key = f"{bar.section.kind} {bar.section.arrangement.beats}"
        if key not in self.rhythms:
            some = [self._draw_rhythm(bar.section.arrangement.beats) for _ in range(2)]
            last = self._draw_rhythm(bar.section.arrangement.beats)
            self.rhythms[key] = [some[0], some[1], some[0], last]
        rhythm = self.rhythms[key][bar.number % 4]
        return [beat for beat in rhythm if self.rng.random() > 0.08]

    def _draw_rhythm(self, beats: int) -> list[float]:
        fast = self.plan.bars[0].period_s < 0.42
        split = self.plan.style.split
        split = 2 if fast and split == 4 else split
        if self.plan.bars[0].period_s < 0.36 and split != 3:
            split = int(self.rng.choice((1, 2)))
        out = []
        for step in range(beats * split):
            on_beat = step % split == 0
            chance = (
                self.busy + 0.3
                if on_beat
                else self.busy * (0.9 if step % split * 2 == split else 0.45)
            )
            # Phrases often anticipate the bar line or leave the downbeat out.
            if step == 0 and self.rng.random() < 0.25:
                chance = 0
            if self.rng.random() < chance:
                out.append(step / split)
        return out or [0.0]

    def _step(self, bar: Bar, beat: float, closing: bool) -> None:
        """Move to the next pitch."""
        chord = bar.chord_at(min(beat + 0.3, bar.beats - 0.01))
        strong = abs(beat - round(beat)) < 0.01
        if closing:
            stable = [tone for tone in chord.pitches if tone in (0, 2, 3, 4, 7)] or [chord.root]
            self.pitch = self._nearest(int(self.rng.choice(stable)))
        elif strong and self.rng.random() < 0.7:
            self.pitch = self._nearest(int(self.rng.choice(chord.pitches)))
        else:
            way = self.rng.choice((-2, -1, -1, 0, 1, 1, 2)) - (self.pitch - self.center) / 8
            tones = [
                t for t in self.scale if all((t - c) % 12 not in (1, 11) for c in chord.pitches)
            ]
            self.pitch = self._nearest_of(tones or self.scale, self.pitch + 2 * float(way))

    def _nearest(self, above_tonic: int) -> float:
        """The pitch of that class near the last one and within reach."""
        return self._nearest_of((above_tonic,), 0.6 * self.pitch + 0.4 * self.center)

    def _nearest_of(self, tones: tuple[int, ...] | list[int], goal: float) -> float:
        bases = [self.plan.tonic + tone for tone in tones]
        return float(
            min((b + 12 * round((goal - b) / 12) for b in bases), key=lambda p: abs(p - goal))
        )

    def _sound(self, bar: Bar, beat: float, until: float, pitch: float) -> None:
        start_s = self.plan.time_s(bar, beat)
        length_s = max(0.08, 0.95 * (self.plan.time_s(bar, until) - start_s))
        start_s += self.late_s + float(np.clip(self.rng.normal(0, self.jitter_s), -0.03, 0.03))
        glide = float(self.rng.choice((0, 0, -1, -2, 1))) if self.voice in _SUNG else 0.0
        loudness = float(np.clip(self.rng.normal(0.8, 0.08), 0.5, 1.0)) * (
            0.8 + 0.2 * bar.section.energy
        )
        self.notes.append(Note(self.voice, start_s, length_s, pitch, loudness, glide))

    def open(self) -> None:
        """A pickup into the first bar."""
        bar = self.plan.bars[0]
        split = 3 if self.plan.style.split == 3 else 2
        for step in range(-int(self.rng.integers(1, split + 1)), 0):
            self._step(bar, 0.5, False)
            self._sound(bar, step / split, (step + 1) / split, self.pitch)


def sing(plan: Plan, rng: Generator) -> list[Note]:
    """Notes of the melody; solos are played by another lead of the style."""
    leads = plan.style.leads
    if not any(bar.section.arrangement.lead for bar in plan.bars):
        return []
    main = str(rng.choice(leads))
    soloist = str(rng.choice(leads))
    singers = {name: Singer(plan, name, rng) for name in dict.fromkeys((main, soloist))}
    if plan.opening == "pickup":
        singers[main].open()
    for bar in plan.bars:
        singers[soloist if bar.section.kind in ("solo", "break") else main].play(bar)
    return [note for singer in singers.values() for note in singer.notes]
