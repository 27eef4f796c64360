"""Bass, chords and riffs, written out from their patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synth.roadshow.drumming import JITTER_S
from synth.roadshow.harmony import SCALES

if TYPE_CHECKING:
    from numpy.random import Generator

    from synth.roadshow.form import Bar
    from synth.roadshow.harmony import Chord
    from synth.roadshow.plan import Plan
    from synth.roadshow.styles import Line

CENTERS = {
    "finger": 34, "pick": 33, "slap": 34, "upright": 34, "contra": 33, "sub": 31, "sub808": 30,
    "synth": 34, "reese": 32, "acid": 36, "offbass": 34, "wobble": 31, "cello": 40,
    "pizz_low": 40, "piano_low": 38, "bass_voice": 42, "power": 41, "chug": 41, "drive": 55,
    "crunch": 48, "choir_low": 50, "viola": 55, "violin": 66, "bell": 72, "pluck": 67, "pad": 60,
    "mutedguitar": 62, "clav": 57, "banjo": 66, "pizz": 67, "strings": 64, "brass": 63,
}  # fmt: skip
_SINGLE = ("power", "chug")


@dataclass(frozen=True)
class Note:
    """Note of an instrument.

    Attributes:
        voice: instrument, in `tones.TIMBRES`.
        start_s: when it begins.
        length_s: when it is let go, after `start_s`.
        pitch: MIDI number in the song's own tuning.
        loudness: 0 to 1.
        glide: semitones from which the pitch slides into the note.
    """

    voice: str
    start_s: float
    length_s: float
    pitch: float
    loudness: float
    glide: float = 0.0


class Player:
    """Plays the pattern of a line through a song."""

    def __init__(self, plan: Plan, line: Line, layer: str, rng: Generator) -> None:
        self.plan, self.line, self.layer, self.rng = plan, line, layer, rng
        self.notes: list[Note] = []
        self.center = CENTERS.get(line.voice, 60) + int(rng.integers(-2, 3))
        self.jitter_s = JITTER_S[plan.style.feel] * 1.4
        self.last = float(self.center)

    def _add(
        self,
        bar: Bar,
        beat: float,
        until: float,
        pitches: list[float],
        loudness: float,
        apart_s: float = 0.0,
    ) -> None:
        """Add notes that begin together or, like strummed strings, one after another."""
        start_s = self.plan.time_s(bar, beat)
        length_s = max(0.05, self.plan.time_s(bar, until) - start_s)
        start_s += float(np.clip(self.rng.normal(0, self.jitter_s), -0.02, 0.02))
        level = min(1.0, loudness * float(np.clip(self.rng.normal(1, 0.07), 0.7, 1.25)))
        self.notes += [
            Note(self.line.voice, start_s + number * apart_s, length_s, pitch, level)
            for number, pitch in enumerate(pitches)
        ]

    def play(self, bar: Bar) -> None:
        """Write out one bar."""
        full, section = bar.section.arrangement.beats, bar.section
        if self.layer not in section.layers:
            return
        cells = self.line.bars[bar.number % len(self.line.bars)]
        if section.kind == "end":
            self._strike(bar, 0.0, bar.beats + (0 if self.rng.random() < 0.5 else 1.5), "C", 0.85)
            return
        step_beats = full / len(cells)
        starts = [n for n, cell in enumerate(cells) if cell not in ".-"]
        for n in starts:
            beat, end = n * step_beats, n + 1
            if beat > bar.stop - 1e-6:
                break
            while end < len(cells) and cells[end] == "-":
                end += 1
            until = min(end * step_beats, bar.stop)
            if self.rng.random() > 0.04:
                accent = 0.9 if beat == 0 else 0.78
                self._strike(bar, beat, until, cells[n], accent * (0.75 + 0.25 * section.energy))
        if bar.hold:
            self._strike(bar, bar.stop, bar.beats, "C", 0.85)

    def _strike(self, bar: Bar, beat: float, until: float, cell: str, loudness: float) -> None:
        """Play the notes of one sign of a pattern."""
        chord, apart_s = bar.following if cell == "N" else bar.chord_at(beat), 0.0
        if self.layer == "bass":
            pitches = [self._bass_pitch(bar, chord, cell)]
        elif self.line.voice in _SINGLE:
            pitches = [self._near(chord.root, self.center)]
        elif cell == "L":
            pitches = [self._near(chord.root + chord.bass, 45)]
        elif cell.isdigit():
            octave, tone = divmod(int(cell) - 1, len(chord.tones))
            lowest = self._near(chord.root, self.center - 3)
            pitches = [lowest + chord.tones[tone] + 12 * octave]
        else:
            pitches = sorted({self._near(chord.root + tone, self.center) for tone in chord.tones})
            pitches = [self._near(chord.root, 45), *pitches] if cell == "D" else pitches
            pitches = pitches[::-1] if cell == "U" else pitches
            machine = self.plan.style.feel == "machine"
            apart_s = 0.0 if machine else float(self.rng.uniform(0.001, 0.004))
            apart_s = 0.009 if cell in "DU" else apart_s
            loudness *= 0.8 if cell in "cU" else 1.0
        self._add(bar, beat, until, pitches, loudness, apart_s)

    def _near(self, above_tonic: float, center: float) -> float:
        """The pitch of that class that lies nearest to `center`."""
        pitch = self.plan.tonic + above_tonic
        return float(pitch + 12 * round((center - pitch) / 12))

    def _bass_pitch(self, bar: Bar, chord: Chord, cell: str) -> float:
        """Where the bass goes for a sign of its pattern."""
        tones = chord.tones
        root = self._near(chord.root + (chord.bass if cell in "RCN" else 0), self.center)
        third = tones[1] if len(tones) > 2 else 7
        seventh = tones[3] if len(tones) > 3 and tones[3] < 12 else 10
        steps = {"5": 7, "8": 12, "3": third, "6": 9, "7": seventh}
        if cell in steps:
            pitch = root + steps[cell]
            pitch -= 12 * (cell == "5" and pitch > self.center + 6)
        elif cell == "a":
            pitch = self._near(bar.following.root, self.center) + float(
                self.rng.choice((-1, -2, 1))
            )
        elif cell == "w":
            scale = [*SCALES[self.plan.mode], *chord.pitches]
            near = [self._near(tone, self.last + way) for tone in scale for way in (-2, 2)]
            near = [p for p in near if 0 < abs(p - self.last) <= 4 and abs(p - self.center) < 10]
            pitch = float(self.rng.choice(near)) if near else root
        else:
            pitch = root
        self.last = pitch
        return pitch


def play_lines(plan: Plan, rng: Generator) -> list[Note]:
    """Notes of the bass and of all chords and riffs."""
    players: dict[tuple[str, Line], Player] = {}
    for bar in plan.bars:
        arrangement = bar.section.arrangement
        lines = [("comps", line) for line in arrangement.comps[: bar.section.comps]]
        if arrangement.bass:
            lines.append(("bass", arrangement.bass))
        for layer, line in lines:
            if (layer, line) not in players:
                players[layer, line] = Player(plan, line, layer, rng)
            players[layer, line].play(bar)
    return [note for player in players.values() for note in player.notes]
